//! Asks what runs, process by process, over the control socket.

use serde::de::DeserializeOwned;
use umbel_host::{
    ExitStatus, Failed, OrExit,
    control::{ControlSettings, Place, Question, Unanswered, ask},
};
use umbel_settings::{LoadOptions, Settings};

use crate::tool::{Done, failed, without_store};

/// Asks every process that answers where the settings say, and shows each answer; whether it is not the first is told beside it.
///
/// # Errors
/// When nobody is there, or one of those who are does not answer.
pub(crate) fn ask_each<T: DeserializeOwned>(
    options: &LoadOptions,
    question: &Question,
    show: impl FnMut(T, bool) -> Done,
) -> Result<(), Failed> {
    let settings = Settings::load(options).or_exit(ExitStatus::Settings)?;
    let control: ControlSettings = settings.section("control").or_exit(ExitStatus::Settings)?;
    let place = Place::parse(&control.socket).or_exit(ExitStatus::Settings)?;
    without_store(async || {
        let place = place.ok_or_else(|| {
            failed(format!(
                "control.socket is not set in the environment {}, so no umbrella answers; set it for `umbel run` and for \
                 this, such as UMBEL__CONTROL__SOCKET=data/umbel-{{pid}}.sock",
                settings.environment().name
            ))
        })?;
        ask_all(&place, &control, question, show)
    })
}

fn ask_all<T: DeserializeOwned>(
    place: &Place,
    control: &ControlSettings,
    question: &Question,
    mut show: impl FnMut(T, bool) -> Done,
) -> Done {
    let (mut shown, mut trouble) = (0, None);
    let unreadable = |error| failed(format!("cannot look for {}: {error}", control.socket));
    for socket in place.sockets().map_err(unreadable)? {
        match ask::<T>(&socket, question, control.deadline()) {
            Ok(answer) => show(answer, shown > 0)?,
            Err(Unanswered::NobodyThere) => continue,
            Err(Unanswered::Failed(error)) => trouble = Some(format!("{error:#}")),
        }
        shown += 1;
    }
    match trouble {
        Some(trouble) => Err(failed(trouble)),
        None if shown == 0 => Err(failed(format!(
            "no umbrella runs that answers on {}; start one with `umbel run`, or name its settings (--env, --set \
             control.socket=...; a relative path begins in the folder where it was started)",
            control.socket
        ))),
        None => Ok(()),
    }
}
