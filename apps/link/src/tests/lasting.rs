//! Connections that last: what is found out about them, and when they are made anew.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout},
};
use umbel_bus::{Delivery, Errand, Parcel, Reached};
use umbel_core::Json;

use super::world::*;
use crate::{
    connection::{Connection, Ended},
    frame::{Frames, encode},
    greet::Greeted,
    wire::{Answered, Asked, WireDelivery},
};

const MOST: usize = 1 << 20;

/// A connection whose other side is played by a test, with so much patience; it drives itself.
fn connection(patience_ms: u64) -> (std::sync::Arc<Connection>, DuplexStream) {
    let (near, far) = tokio::io::duplex(1 << 16);
    let greeted = Greeted { stream: near, frames: Frames::new(MOST), began: Instant::now(), frame_max: MOST };
    let (connection, drive) =
        Connection::over(greeted, &settings(&[("connect_timeout_ms", json!(patience_ms))]));
    tokio::spawn(drive);
    (connection, far)
}

fn query(within: Duration) -> Parcel {
    let body = Json::encode(&1).unwrap();
    Parcel { name: "test.question".into(), body, deadline: Instant::now() + within, errand: Errand::Query }
}

/// LK-05: given an answer that is long in coming, while another one has not come in time, then the connection is not given up: its parts show
/// that somebody is there.
#[test]
fn who_is_in_the_middle_of_an_answer_is_not_silent() {
    run(async {
        let (connection, mut far) = connection(500);
        let answers = async {
            let mut frames = Frames::new(MOST);
            let id = loop {
                match frames.next().unwrap() {
                    Some(Asked::Request { id, .. }) => break id,
                    Some(Asked::Ping) => {}
                    None => drop(far.read_buf(frames.space()).await.unwrap()),
                }
            };
            let delivery: WireDelivery = Delivery::Query(Ok(Json::encode("long").unwrap())).into();
            let frame = encode(&Answered::Answer { id, delivery }, MOST).unwrap();
            for piece in frame.chunks(frame.len().div_ceil(8)) {
                sleep(Duration::from_millis(200)).await;
                far.write_all(piece).await.unwrap();
            }
            // Open until it is read.
            far
        };
        let (long, late) = (query(AMPLE), query(Duration::from_millis(100)));
        let (long, late, _far) = tokio::join!(connection.ask(&long), connection.ask(&late), answers);
        assert!(matches!(long, Ended::Known(Ok(_))));
        assert!(matches!(late, Ended::Known(Err(_))));
        assert!(connection.is_open());
    });
}

/// LK-05: given callers who go away before their deadlines, then a process that says nothing any more is given up as well.
#[test]
fn a_silent_process_is_given_up_though_callers_hang_up() {
    run(async {
        let (connection, _far) = connection(100);
        let ample = query(AMPLE);
        assert!(timeout(Duration::from_millis(50), connection.ask(&ample)).await.is_err());
        while connection.is_open() {
            sleep(Duration::from_millis(10)).await;
        }
    });
}

/// How the first of those that are known is reached.
fn reached(side: &Side) -> Reached {
    side.bus.peers()[0].contact.reached
}

/// LK-20: given a connection on which nothing travels, when the network is cut without a word, then the other process is away though nobody
/// asks it anything, and there again once it is reached.
#[test]
fn a_quiet_process_that_is_cut_off_is_away() {
    run(async {
        let (there, _) = Side::owning("there").await;
        let here = Side::with(settings(&[("ping_ms", json!(50)), ("connect_timeout_ms", json!(700))])).await;
        let wire = Wire::to(&there.bus.process()).await;
        here.knows(&[at(&there.bus.process(), &wire.address)]);
        assert_eq!(here.ask(Question::Who).await.unwrap(), "there");
        let answered = || String::from_utf8_lossy(&wire.seen.lock().unwrap()).matches("pong").count();
        while answered() < 3 {
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!((reached(&here), wire.made()), (Reached::Connected, 1), "who answers pings is there");
        wire.hold(true);
        while reached(&here) == Reached::Connected {
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(reached(&here), Reached::Away);
        wire.hold(false);
        wire.cut();
        assert_eq!(here.ask(Question::Who).await.unwrap(), "there");
    });
}

/// LK-20: given a connection that carries nothing but pings, then it is closed as idle all the same.
#[test]
fn pings_keep_no_connection_open() {
    run(async {
        let (there, _) = Side::owning("there").await;
        let here = Side::with(settings(&[("ping_ms", json!(20)), ("idle_ms", json!(400))])).await;
        here.knows(&[there.bus.process()]);
        assert_eq!(here.ask(Question::Who).await.unwrap(), "there");
        while reached(&here) != Reached::Idle {
            sleep(Duration::from_millis(10)).await;
        }
    });
}

/// LK-05: given a message on its way when the other side finds the connection idle, then it is not lost: it goes over a new one.
#[test]
fn what_is_sent_on_an_idle_connection_is_not_lost() {
    run(async {
        let there = Side::with(settings(&[("idle_ms", json!(50))])).await;
        let (seen, here) = (there.own("there", None).await, Side::new().await);
        let wire = Wire::to(&there.bus.process()).await;
        here.knows(&[at(&there.bus.process(), &wire.address)]);
        assert!(here.bus.dispatch_with(Do::Reply(1), options()).await.is_ok());
        // It finds it idle meanwhile, and nothing of that is heard here.
        wire.hold(true);
        sleep(Duration::from_millis(500)).await;
        let (sent, ()) = tokio::join!(here.bus.dispatch_with(Do::Reply(2), options()), async {
            sleep(Duration::from_millis(50)).await;
            wire.hold(false);
        });
        assert_eq!(sent.unwrap().reply, "2");
        assert_eq!((seen.count(), wire.made()), (2, 2));
    });
}

/// LK-05: given two clocks that have gone apart, so that messages come too late for the one side only, then they go over a new connection.
#[test]
fn clocks_that_have_gone_apart_are_set_anew() {
    run(async {
        let ((there, seen), here) = (Side::owning("there").await, Side::new().await);
        let target = there.bus.process().reach.unwrap().address;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        here.knows(&[at(&there.bus.process(), &listener.local_addr().unwrap().to_string())]);
        let made = AtomicUsize::new(0);
        // The first connection hears its welcome late, so that its clock begins that much later than that of the other side.
        let relay = async {
            while let Ok((mut near, _)) = listener.accept().await {
                let slow = made.fetch_add(1, Ordering::SeqCst) == 0;
                let mut far = TcpStream::connect(&target).await.unwrap();
                tokio::task::spawn_local(async move {
                    let mut buffer = vec![0; 4096];
                    for (step, pause) in [(0, false), (1, false), (0, false), (1, slow)] {
                        let (from, to) =
                            if step == 0 { (&mut near, &mut far) } else { (&mut far, &mut near) };
                        let length = from.read(&mut buffer).await.unwrap();
                        sleep(if pause { Duration::from_secs(2) } else { Duration::ZERO }).await;
                        to.write_all(&buffer[..length]).await.unwrap();
                    }
                    drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
                });
            }
        };
        let story = async {
            let done = here.bus.dispatch_with(Do::Reply(1), options()).await;
            assert_eq!(done.unwrap().reply, "1", "there is time enough for it");
            for number in 2..5 {
                let within = options().deadline(Duration::from_millis(1500));
                let done = here.bus.dispatch_with(Do::Reply(number), within).await;
                assert_eq!(done.unwrap().reply, number.to_string());
            }
            assert_eq!((seen.count(), made.load(Ordering::SeqCst)), (4, 2));
        };
        tokio::select! {
            () = relay => {}
            () = story => {}
        }
    });
}
