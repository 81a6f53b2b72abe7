//! A domain whose rules span streams: courses with room for few students, of whom each may take few courses.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use umbel_core::{
    Boundary, Command, Context, Decision, Event, RecordedEvent, TagItem, TagQuery, Tags, events,
    store::ClaimName,
};
use umbel_host::App;

/// How many courses a student may take.
pub(crate) const COURSES_MAX: usize = 2;

/// A student whose name makes the code panic that is asked about it, here: in `query`, `evolve` or `decide`.
pub(crate) const PANICS: [&str; 3] = ["panic in query", "panic in evolve", "panic in decide"];

macro_rules! commands {
    ($($name:literal $message:ident { $($field:ident: $type:ty),* } -> $reply:ty;)*) => {$(
        #[derive(Clone, Debug, Serialize, Deserialize)]
        pub(crate) struct $message { $(pub(crate) $field: $type),* }

        impl Command for $message {
            const NAME: &'static str = $name;
            type Reply = $reply;
            type Rejection = No;
        }
    )*};
}

commands! {
    "courses.open" Open { course: String, room: usize } -> ();
    "courses.join" Join { course: String, student: String } -> usize;
    "courses.leave" Leave { course: String, student: String } -> ();
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum No {
    #[error("there is such a course already")]
    IsThere,
    #[error("there is no such course")]
    Unknown,
    #[error("the course is full")]
    Full,
    #[error("the student takes enough courses")]
    TooMany,
    #[error("the student takes this course")]
    Joined,
    #[error("somebody else holds the seat")]
    Seat,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Opened {
    pub(crate) course: String,
    pub(crate) room: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Joined {
    pub(crate) course: String,
    pub(crate) student: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Left {
    pub(crate) course: String,
    pub(crate) student: String,
}

impl Event for Opened {
    const NAME: &'static str = "courses.opened";

    fn tags(&self) -> Tags {
        Tags::of("course", &self.course)
    }
}

impl Event for Joined {
    const NAME: &'static str = "courses.joined";
    const FORMERLY: &'static [&'static str] = &["courses.enrolled"];

    fn tags(&self) -> Tags {
        Tags::of("course", &self.course).and("student", &self.student)
    }
}

impl Event for Left {
    const NAME: &'static str = "courses.left";

    fn tags(&self) -> Tags {
        Tags::of("course", &self.course).and("student", &self.student)
    }
}

events! {
    pub(crate) enum CourseEvent { Opened(Opened), Joined(Joined), Left(Left) }
}

events! {
    pub(crate) enum OnlyOpened { Opened(Opened) }
}

/// Whether a course may be opened: once.
pub(crate) struct Opening {
    is_there: bool,
}

/// Whether a student may join a course.
pub(crate) struct Joining {
    course: String,
    student: String,
    room: Option<usize>,
    students: BTreeSet<String>,
    courses: BTreeSet<String>,
}

/// Whether a student takes a course.
pub(crate) struct Leaving {
    takes_it: bool,
}

pub(crate) fn app() -> App {
    App::new("courses").boundary::<Opening>().boundary::<Joining>().boundary::<Leaving>()
}

pub(crate) fn open(course: &str, room: usize) -> Open {
    Open { course: course.into(), room }
}

pub(crate) fn join(course: &str, student: &str) -> Join {
    Join { course: course.into(), student: student.into() }
}

pub(crate) fn leave(course: &str, student: &str) -> Leave {
    Leave { course: course.into(), student: student.into() }
}

/// Who takes which course after these events.
///
/// # Panics
/// When a rule was broken at any time.
pub(crate) fn taken(log: &[RecordedEvent]) -> BTreeSet<(String, String)> {
    let (mut rooms, mut taken) = (BTreeMap::new(), BTreeSet::new());
    for recorded in log {
        match recorded.decode::<CourseEvent>().unwrap().one() {
            Some(CourseEvent::Opened(Opened { course, room })) => {
                assert!(rooms.insert(course, room).is_none(), "a course is opened once");
            }
            Some(CourseEvent::Joined(Joined { course, student })) => {
                assert!(taken.insert((course.clone(), student.clone())), "{student} is in {course} already");
                let students = taken.iter().filter(|(one, _)| *one == course).count();
                assert!(students <= rooms[&course], "{course} has no room for {student}");
                let courses = taken.iter().filter(|(_, one)| *one == student).count();
                assert!(courses <= COURSES_MAX, "{student} takes too many courses");
            }
            Some(CourseEvent::Left(Left { course, student })) => {
                assert!(taken.remove(&(course, student)), "who leaves was there");
            }
            None => {}
        }
    }
    taken
}

impl Boundary for Opening {
    type Command = Open;
    type Event = OnlyOpened;
    const CATEGORY: &'static str = "course";

    fn identify(command: &Open) -> String {
        command.course.clone()
    }

    fn query(command: &Open) -> TagQuery {
        TagQuery::tagged(Tags::of("course", &command.course))
    }

    fn begin(_: &Open) -> Self {
        Self { is_there: false }
    }

    fn evolve(self, _: &OnlyOpened) -> Self {
        Self { is_there: true }
    }

    fn decide(&self, command: &Open, _: &Context<'_>) -> Result<Decision<OnlyOpened, ()>, No> {
        if self.is_there {
            return Err(No::IsThere);
        }
        let Open { course, room } = command.clone();
        Ok(vec![Opened { course, room }.into()].into())
    }
}

impl Boundary for Joining {
    type Command = Join;
    type Event = CourseEvent;
    const CATEGORY: &'static str = "student";

    fn identify(command: &Join) -> String {
        command.student.clone()
    }

    fn query(command: &Join) -> TagQuery {
        assert_ne!(command.student, PANICS[0], "told to panic");
        let of_student = TagItem::tagged(Tags::of("student", &command.student));
        TagQuery::tagged(Tags::of("course", &command.course))
            .or_item(of_student.named(&[Joined::NAME, Left::NAME]))
    }

    fn begin(command: &Join) -> Self {
        Self {
            course: command.course.clone(),
            student: command.student.clone(),
            room: None,
            students: BTreeSet::new(),
            courses: BTreeSet::new(),
        }
    }

    fn evolve(mut self, event: &CourseEvent) -> Self {
        assert_ne!(self.student, PANICS[1], "told to panic");
        match event {
            CourseEvent::Opened(Opened { room, .. }) => self.room = Some(*room),
            CourseEvent::Joined(Joined { course, student }) => {
                if *course == self.course {
                    self.students.insert(student.clone());
                }
                if *student == self.student {
                    self.courses.insert(course.clone());
                }
            }
            CourseEvent::Left(Left { course, student }) => {
                if *course == self.course {
                    self.students.remove(student);
                }
                if *student == self.student {
                    self.courses.remove(course);
                }
            }
        }
        self
    }

    /// The reply is how many then take the course. Whoever joins also holds a seat, of which a test takes one away.
    fn decide(&self, command: &Join, _: &Context<'_>) -> Result<Decision<CourseEvent, usize>, No> {
        assert_ne!(self.student, PANICS[2], "told to panic");
        let room = self.room.ok_or(No::Unknown)?;
        if self.students.contains(&self.student) {
            return Err(No::Joined);
        }
        if self.students.len() >= room {
            return Err(No::Full);
        }
        if self.courses.len() >= COURSES_MAX {
            return Err(No::TooMany);
        }
        let Join { course, student } = command.clone();
        let joined = Joined { course, student };
        Ok(Decision::new(vec![joined.into()], self.students.len() + 1).take("courses.seat", &self.seat()))
    }

    fn claimed(_: &Join, claim: &ClaimName) -> Option<No> {
        (claim.scope == "courses.seat").then_some(No::Seat)
    }
}

impl Joining {
    fn seat(&self) -> String {
        format!("{}/{}", self.course, self.student)
    }
}

impl Boundary for Leaving {
    type Command = Leave;
    type Event = CourseEvent;
    const CATEGORY: &'static str = "student";

    fn identify(command: &Leave) -> String {
        command.student.clone()
    }

    fn query(command: &Leave) -> TagQuery {
        TagQuery::tagged(Tags::of("course", &command.course).and("student", &command.student))
    }

    fn begin(_: &Leave) -> Self {
        Self { takes_it: false }
    }

    fn evolve(self, event: &CourseEvent) -> Self {
        Self { takes_it: matches!(event, CourseEvent::Joined(_)) }
    }

    /// Leaving where one is not is nothing to do.
    fn decide(&self, command: &Leave, _: &Context<'_>) -> Result<Decision<CourseEvent, ()>, No> {
        let Leave { course, student } = command.clone();
        Ok(if self.takes_it { vec![Left { course, student }.into()].into() } else { Decision::nothing(()) })
    }
}
