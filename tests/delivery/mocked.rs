//! What a real broker does not do on request: librdkafka's mock cluster does.

use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr as Error};

use crate::kafka;
use crate::route::{Route, Topics};

#[test]
fn a_fatal_error_ends_the_session_and_everything_is_sent_in_the_next_one() {
    for (request, error, times) in [
        // Head of line: what was expected first was never seen.
        (RDKafkaApiKey::Produce, Error::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, 1),
        (RDKafkaApiKey::Produce, Error::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, 1),
        // The second path's session asks too, once a second.
        (RDKafkaApiKey::InitProducerId, Error::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, 4),
    ] {
        let cluster = MockCluster::new(3).unwrap();
        let topics = Topics::new();
        for topic in topics.names() {
            cluster.create_topic(&topic, 3, 3).unwrap();
        }
        let bootstrap = cluster.bootstrap_servers();
        let brokers = bootstrap.replace(',', "\", \"");
        cluster.request_errors(request, &vec![error; times]);
        let route = Route::start(&topics, &format!("brokers = [\"{brokers}\"]"), "");
        let judge = route.click(200);
        route.wait_until_shipped(200);
        let sessions = route.metric("waypost_kafka_sessions_total");
        assert!(sessions >= 2.0, "{error:?}: {sessions}: one that failed and one that did not");
        assert!(times > 1 || sessions == 2.0, "{error:?}: {sessions}");
        let values: Vec<_> =
            kafka::read(&bootstrap, &topics.events()).into_iter().map(|of| of.value).collect();
        let verdict = judge.judge(values.iter().map(String::as_str));
        println!("{error:?}: {verdict}");
        assert_eq!((verdict.missing, verdict.spurious), (0, 0), "{error:?}: {verdict}");
        route.wait_for_degraded("kafka", false);
    }
}

#[test]
fn too_few_replicas_and_leaders_that_change_cost_nothing_but_time() {
    let cluster = MockCluster::new(3).unwrap();
    let topics = Topics::new();
    for topic in topics.names() {
        cluster.create_topic(&topic, 3, 3).unwrap();
    }
    let bootstrap = cluster.bootstrap_servers();
    let brokers = bootstrap.replace(',', "\", \"");
    cluster.request_errors(
        RDKafkaApiKey::Produce,
        &[
            Error::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
            Error::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
            Error::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            Error::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        ],
    );
    let route = Route::start(&topics, &format!("brokers = [\"{brokers}\"]"), "");
    let judge = route.click(500);
    for partition in 0..3 {
        cluster
            .partition_leader(&topics.events(), partition, Some(1 + (partition + 1) % 3))
            .unwrap();
    }
    route.wait_until_shipped(500);
    assert_eq!(route.metric("waypost_kafka_sessions_total"), 1.0);
    let values: Vec<_> =
        kafka::read(&bootstrap, &topics.events()).into_iter().map(|of| of.value).collect();
    let verdict = judge.judge(values.iter().map(String::as_str));
    println!("{verdict}");
    assert!(verdict.is_exact(), "{verdict}");
}
