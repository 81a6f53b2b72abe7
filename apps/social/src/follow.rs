//! The following aggregate: whether one user follows another.
//!
//! One aggregate for each pair and not one for each user: nothing that is decided depends on whom else somebody follows,
//! so a pair's two or three events are all that is ever read, and nobody's thousand follows slow down the next one.

use contracts::social::{Follow, Followed, Rejection, Unfollow, Unfollowed};
use umbel_core::{Aggregate, Context, Decide, Decision};
use uuid::Uuid;

/// Whether one user follows another: not, at first.
#[derive(Debug, Default)]
pub(crate) struct Following {
    follows: bool,
}

umbel_core::events! {
    /// What happens between two users.
    #[derive(Clone)]
    pub(crate) enum FollowingEvent { Followed(Followed), Unfollowed(Unfollowed) }
}

/// The id of a pair: of its aggregate and of its document.
pub(crate) fn pair(first: Uuid, second: Uuid) -> String {
    format!("{first}.{second}")
}

impl Aggregate for Following {
    const CATEGORY: &'static str = "following";
    type Event = FollowingEvent;
    type Commands = (Follow, Unfollow);

    fn evolve(self, event: &FollowingEvent) -> Self {
        Self { follows: matches!(event, FollowingEvent::Followed(_)) }
    }
}

impl Decide<Follow> for Following {
    fn identify(command: &Follow) -> String {
        pair(command.follower_id, command.followed_id)
    }

    fn decide(&self, command: &Follow, _: &Context<'_>) -> Result<Decision<FollowingEvent, ()>, Rejection> {
        let Follow { follower_id, followed_id } = *command;
        Ok(if self.follows {
            Decision::nothing(())
        } else {
            vec![Followed { follower_id, followed_id }.into()].into()
        })
    }
}

impl Decide<Unfollow> for Following {
    fn identify(command: &Unfollow) -> String {
        pair(command.follower_id, command.followed_id)
    }

    fn decide(&self, command: &Unfollow, _: &Context<'_>) -> Result<Decision<FollowingEvent, ()>, Rejection> {
        let Unfollow { follower_id, followed_id } = *command;
        Ok(if self.follows {
            vec![Unfollowed { follower_id, followed_id }.into()].into()
        } else {
            Decision::nothing(())
        })
    }
}

#[cfg(test)]
mod tests {
    use umbel_testkit::aggregate::{given, given_nothing};

    use super::*;

    const ADA: Uuid = Uuid::from_u128(1);
    const BOB: Uuid = Uuid::from_u128(2);

    fn follow() -> Follow {
        Follow { follower_id: ADA, followed_id: BOB }
    }

    fn unfollow() -> Unfollow {
        Unfollow { follower_id: ADA, followed_id: BOB }
    }

    fn followed() -> FollowingEvent {
        Followed { follower_id: ADA, followed_id: BOB }.into()
    }

    fn unfollowed() -> FollowingEvent {
        Unfollowed { follower_id: ADA, followed_id: BOB }.into()
    }

    /// CD-07: what is so already does not happen again.
    #[test]
    fn following_twice_is_following_once() {
        given_nothing::<Following>().when(follow()).then([followed()]).replies(());
        given::<Following>([followed()]).when(follow()).then_nothing();
        given::<Following>([followed()]).when(unfollow()).then([unfollowed()]);
        given::<Following>([followed(), unfollowed()]).when(unfollow()).then_nothing();
        given_nothing::<Following>().when(unfollow()).then_nothing();
        given::<Following>([followed(), unfollowed()]).when(follow()).then([followed()]);
    }

    #[test]
    fn who_follows_and_who_is_followed_are_told_apart() {
        let back = Follow { follower_id: BOB, followed_id: ADA };
        assert_ne!(
            <Following as Decide<Follow>>::identify(&follow()),
            <Following as Decide<Follow>>::identify(&back)
        );
        assert_eq!(
            <Following as Decide<Follow>>::identify(&follow()),
            <Following as Decide<Unfollow>>::identify(&unfollow())
        );
    }
}
