//! Letters over RabbitMQ: a broker of the test's own, with a virtual host for each story.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod foreign;
mod ours;
mod python;
mod world;

use gatepost_messaging::testing::RabbitNode;
use gatepost_storage::testing::Database;

use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_over_rabbitmq() {
    let node = tokio::task::spawn_blocking(|| RabbitNode::start().expect("a RabbitMQ of our own"))
        .await
        .unwrap();
    for (name, db) in [("one", Database::postgres()), ("two", Database::sqlite())] {
        ours::a_deleted_queue_loses_no_letter(World::new(&node, name, db).await).await;
    }
    ours::what_is_put_off_waits_in_the_database(World::new(&node, "three", Database::postgres()).await).await;
    ours::a_switch_to_embedded_loses_no_letter(World::new(&node, "four", Database::postgres()).await).await;
    foreign::letters_of_other_programs(World::new(&node, "five", Database::postgres()).await).await;
    foreign::a_message_without_an_id_comes_again(World::new(&node, "six", Database::sqlite()).await).await;
    foreign::dead_letters_of_other_programs(World::new(&node, "eight", Database::postgres()).await).await;
    python::letters_for_a_python_consumer(World::new(&node, "seven", Database::postgres()).await).await;
}
