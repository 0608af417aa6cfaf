//! What an error of Kafka's means for a record.

use rdkafka::types::RDKafkaErrorCode as Code;

/// What is to be done about a record that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send it again later.
    Retry(Reason),
    /// It, or the batch that it was in, is too large.
    TooLarge,
    /// Nothing is taken in this session any more.
    Fatal,
}

/// Why a record is to be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The session holds as much as it may. It empties by itself.
    QueueFull,
    /// No connection, or it broke.
    Transport,
    /// The topic or the partition is not there.
    TopicMissing,
    /// We may not write to the topic.
    Authorization,
    /// We are not who we say, or the broker is not.
    Authentication,
    /// The broker takes no such record now, such as one without a key in a compacted topic.
    Refused,
    /// The session ended before it was reported.
    SessionEnded,
    /// It was said to be taken, without its place in the log.
    Unproven,
}

impl Verdict {
    /// The verdict on an error code. What is unknown is retried, never dropped.
    pub(super) fn of(code: Code) -> Self {
        match code {
            Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::MessageBatchTooLarge => {
                Self::TooLarge
            }
            Code::Fatal
            | Code::Fenced
            | Code::GaplessGuarantee
            | Code::Inconsistent
            | Code::InvalidProducerEpoch
            | Code::InvalidProducerIdMapping
            | Code::OutOfOrderSequenceNumber
            | Code::DuplicateSequenceNumber
            | Code::ProducerFenced
            | Code::UnknownProducerId => Self::Fatal,
            code => Self::Retry(Reason::of(code)),
        }
    }
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 8] = [
        Self::QueueFull,
        Self::Transport,
        Self::TopicMissing,
        Self::Authorization,
        Self::Authentication,
        Self::Refused,
        Self::SessionEnded,
        Self::Unproven,
    ];

    /// The value of the `reason` label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Transport => "transport",
            Self::TopicMissing => "topic_missing",
            Self::Authorization => "authorization",
            Self::Authentication => "authentication",
            Self::Refused => "refused",
            Self::SessionEnded => "session_ended",
            Self::Unproven => "unproven",
        }
    }

    /// Whether the session must be begun anew: it does not look again by itself.
    pub const fn needs_new_session(self) -> bool {
        matches!(self, Self::TopicMissing | Self::Authorization | Self::Authentication)
    }

    fn of(code: Code) -> Self {
        match code {
            Code::QueueFull => Self::QueueFull,
            Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::UnknownTopicId
            | Code::UnknownPartition
            | Code::InvalidTopic => Self::TopicMissing,
            Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed => Self::Authorization,
            Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::IllegalSASLState
            | Code::SSL => Self::Authentication,
            Code::PurgeQueue | Code::PurgeInflight | Code::Retry => Self::SessionEnded,
            Code::AllBrokersDown
            | Code::BrokerTransportFailure
            | Code::BrokerNotAvailable
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::NotEnoughReplicas
            | Code::NotEnoughReplicasAfterAppend
            | Code::NetworkException
            | Code::RequestTimedOut
            | Code::MessageTimedOut
            | Code::OperationTimedOut
            | Code::TimedOutQueue
            | Code::Resolve => Self::Transport,
            _ => Self::Refused,
        }
    }
}
