//! Takes from the store what is due.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::store::{Kind, Lane, Store, StoreError, Stored};

/// Takes what is due, the longest due first: second looks before others, but for half of the
/// places, so that a change that concerns all domains holds up no first look. Where the store fails
/// half-way, what was taken by then is returned: nobody else can take it before its lease ends.
pub(super) async fn claim(
    store: &dyn Store,
    limit: usize,
    now: Timestamp,
) -> Result<Vec<Stored>, StoreError> {
    let mut claimed = Vec::new();
    let half = limit.div_ceil(2);
    for (lane, most) in [(Lane::Prompt, half), (Lane::Patient, limit), (Lane::Prompt, limit)] {
        let room = most.min(limit - claimed.len());
        match of_lane(store, lane, room, now).await {
            Ok(taken) => claimed.extend(taken),
            Err(error) if claimed.is_empty() => return Err(error),
            Err(error) => {
                tracing::debug!(%error, "fewer audits are begun than there is room for");
                break;
            }
        }
    }
    Ok(claimed)
}

async fn of_lane(
    store: &dyn Store,
    lane: Lane,
    room: usize,
    now: Timestamp,
) -> Result<Vec<Stored>, StoreError> {
    // A claim is written, a look is not.
    if room == 0 || store.due(Kind::Audit, lane, now, 1).await? == 0 {
        return Ok(Vec::new());
    }
    store.claim(Kind::Audit, lane, now, LEASE, room).await
}

/// How long an audit may take, until it is written down, before another node may take the domain.
const LEASE: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::future::ready;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::store::{Change, Content, Draw, Page, Pending, PutError, Taken, Working};

    /// Much is due, and the calls from this one on fail.
    #[derive(Debug)]
    struct Failing {
        from: usize,
        calls: AtomicUsize,
    }

    impl Failing {
        fn now<'a, T: Send + 'a>(&self, answer: T) -> Working<'a, T> {
            let call = self.calls.fetch_add(1, Ordering::SeqCst);
            let fails = call >= self.from;
            Box::pin(ready(if fails { Err(StoreError::TimedOut) } else { Ok(answer) }))
        }
    }

    impl Store for Failing {
        fn due(&self, _: Kind, _: Lane, _: Timestamp, _: usize) -> Working<'_, usize> {
            self.now(1)
        }

        fn claim(
            &self,
            _: Kind,
            lane: Lane,
            _: Timestamp,
            _: Duration,
            limit: usize,
        ) -> Working<'_, Vec<Stored>> {
            let content = Content { bytes: Vec::new().into(), state: 0, due: None };
            let name = format!("{lane:?} of {limit}");
            self.now(vec![Stored { name, version: 1, content }])
        }

        fn get(&self, _: Kind, _: &str) -> Working<'_, Option<Stored>> {
            unreachable!()
        }

        fn put(&self, _: Vec<Change>) -> Working<'_, Vec<Result<u64, PutError>>> {
            unreachable!()
        }

        fn next_due(&self, _: Kind, _: Lane) -> Working<'_, Option<Timestamp>> {
            unreachable!()
        }

        fn take(&self, _: &str, _: Draw, _: Timestamp) -> Working<'_, Taken> {
            unreachable!()
        }

        fn page(&self, _: Kind, _: &str, _: usize) -> Working<'_, Page> {
            unreachable!()
        }

        fn counts(&self, _: Kind) -> Working<'_, BTreeMap<u8, u64>> {
            unreachable!()
        }

        fn pending(&self, _: [u8; 16], _: usize) -> Working<'_, Vec<Pending>> {
            unreachable!()
        }

        fn settle(&self, _: Vec<[u8; 16]>) -> Working<'_, ()> {
            unreachable!()
        }
    }

    #[tokio::test]
    async fn what_was_claimed_before_the_store_failed_is_audited() {
        let all = ["Prompt of 2", "Patient of 3", "Prompt of 2"];
        for (from, count) in
            [(0, None), (1, None), (2, Some(1)), (3, Some(1)), (4, Some(2)), (9, Some(3))]
        {
            let store = Failing { from, calls: AtomicUsize::new(0) };
            let claimed = claim(&store, 4, Timestamp::from_seconds(1)).await.ok();
            let names = claimed.map(|claimed| claimed.into_iter().map(|stored| stored.name));
            let expected = count.map(|count| all[..count].to_vec());
            assert_eq!(
                names.map(Iterator::collect::<Vec<_>>),
                expected.map(|all| all.into_iter().map(str::to_owned).collect()),
                "from call {from}"
            );
        }
    }
}
