//! The clock for a connection's request heads: one alarm a connection, not one a request.
//!
//! hyper sleeps anew for every head that it waits for and drops the sleep when the head has come. Each of those would be
//! put into the runtime's wheel of alarms and taken out again, under a lock that all of its threads share. Here the alarm
//! stays as it was first set. When it rings for a head that came long ago, it is set for the one that is waited for now.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

type Alarm = Mutex<Option<Pin<Box<tokio::time::Sleep>>>>;

/// The timer of one connection.
#[derive(Debug, Default)]
pub(crate) struct HeaderTimer(Arc<Alarm>);

impl Timer for HeaderTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Waiting {
            alarm: Arc::clone(&self.0),
            deadline: deadline.into(),
        })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into()
    }
}

/// One wait, by the alarm that the connection has anyway.
struct Waiting {
    alarm: Arc<Alarm>,
    deadline: tokio::time::Instant,
}

impl Sleep for Waiting {}

impl Future for Waiting {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut alarm = self.alarm.lock().unwrap_or_else(PoisonError::into_inner);
        let alarm = alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(self.deadline)));
        if alarm.deadline() > self.deadline {
            alarm.as_mut().reset(self.deadline);
        }
        while tokio::time::Instant::now() < self.deadline {
            ready!(alarm.as_mut().poll(context));
            alarm.as_mut().reset(self.deadline);
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(15);

    #[tokio::test(start_paused = true)]
    async fn each_wait_ends_at_its_own_time() {
        let timer = HeaderTimer::default();
        for _ in 0..3 {
            let began = timer.now();
            timer.sleep(PATIENCE).await;
            let took = timer.now() - began;
            assert!(
                took >= PATIENCE && took < PATIENCE + Duration::from_millis(5),
                "{took:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_of_an_earlier_head_ends_no_later_one() {
        let timer = HeaderTimer::default();
        // Heads that came after four seconds each.
        for _ in 0..20 {
            let waiting = timer.sleep(PATIENCE);
            assert!(timeout(Duration::from_secs(4), waiting).await.is_err());
        }
        let began = timer.now();
        timer.sleep(PATIENCE).await;
        assert!(timer.now() - began >= PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_shorter_wait_is_not_held_up_by_a_longer_one() {
        let timer = HeaderTimer::default();
        assert!(
            timeout(Duration::from_secs(1), timer.sleep(PATIENCE))
                .await
                .is_err()
        );
        let began = timer.now();
        timer.sleep(Duration::from_secs(2)).await;
        assert!(timer.now() - began < Duration::from_secs(3));
        advance(PATIENCE).await;
        timer.sleep_until(began).await;
    }
}
