//! A RabbitMQ of one's own, which can be killed, frozen and told things; without it, nothing goes on.

use gatepost_messaging::testing::RabbitNode;

/// A private node with one user, `guest`; ended, and its folder deleted, when it is dropped.
#[derive(Debug)]
pub struct Rabbit {
    node: RabbitNode,
    running: bool,
}

impl Rabbit {
    /// Starts one, and waits until it answers.
    #[track_caller]
    pub fn start() -> Self {
        Self::with("")
    }

    /// One with more lines in its `rabbitmq.conf`.
    #[track_caller]
    pub fn with(settings: &str) -> Self {
        Self {
            node: RabbitNode::start_with(settings).expect("RabbitMQ starts"),
            running: true,
        }
    }

    /// `amqp://guest:guest@127.0.0.1:port`.
    pub fn url(&self) -> String {
        Self::url_at(self.node.port())
    }

    /// The same through a [`Wire`](super::Wire) that begins at this port.
    pub fn url_at(port: u16) -> String {
        format!("amqp://guest:guest@127.0.0.1:{port}")
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.node.port())
    }

    /// SIGKILL, if it runs.
    #[track_caller]
    pub fn kill(&mut self) {
        if std::mem::take(&mut self.running) {
            self.node.kill().expect("our own node can be killed");
        }
    }

    /// Starts it (again) over the same data, and waits until it answers.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill();
        self.node.restart().expect("RabbitMQ starts again");
        self.running = true;
    }

    /// Whether it answers the first bytes of AMQP.
    pub fn answers(&self) -> bool {
        self.node.answers()
    }

    /// Freezes it: connections stay open and say nothing.
    #[track_caller]
    pub fn freeze(&self) {
        self.node.freeze().expect("it runs");
    }

    /// Lets it go on.
    #[track_caller]
    pub fn thaw(&self) {
        self.node.thaw().expect("it runs");
    }

    /// `rabbitmqctl`; gives what it wrote.
    #[track_caller]
    pub fn ctl(&self, args: &[&str]) -> String {
        self.node.ctl(args).expect("rabbitmqctl does as told")
    }

    /// Messages in a queue, those in hand included; none if there is no such queue.
    #[track_caller]
    pub fn depth(&self, queue: &str) -> Option<u64> {
        self.ctl(&["list_queues", "name", "messages"])
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .find(|(name, _)| *name == queue)
            .and_then(|(_, messages)| messages.trim().parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_its_queues_when_it_is_killed_and_is_silent_when_frozen() {
        let mut rabbit = Rabbit::start();
        rabbit.ctl(&[
            "eval",
            "rabbit_amqqueue:declare({resource, <<\"/\">>, queue, <<\"kept\">>}, true, false, [], none, <<\"t\">>).",
        ]);
        assert_eq!(rabbit.depth("kept"), Some(0));
        rabbit.freeze();
        assert!(!rabbit.answers());
        rabbit.thaw();
        assert!(rabbit.answers());
        rabbit.kill();
        assert!(!rabbit.answers());
        rabbit.restart();
        assert_eq!(rabbit.depth("kept"), Some(0));
        assert_eq!(rabbit.depth("other"), None);
    }
}
