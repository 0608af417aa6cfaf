//! What every client of ours says to librdkafka.

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

use super::config::{Config, Sasl, Security};
use super::publish::OpenError;
use super::secret::Password;
use crate::disk::Disk;

/// The settings that producers and administrators share. Blocks on the password's file.
pub(super) fn configuration(config: &Config, disk: &dyn Disk) -> Result<ClientConfig, OpenError> {
    let mut client = ClientConfig::new();
    let protocol = match (config.security, config.sasl) {
        (Security::Plaintext, Sasl::None) => "plaintext",
        (Security::Plaintext, _) => "sasl_plaintext",
        (Security::Tls, Sasl::None) => "ssl",
        (Security::Tls, _) => "sasl_ssl",
    };
    client
        .set("client.id", "waypost")
        .set("bootstrap.servers", config.brokers.join(","))
        .set("security.protocol", protocol)
        // A broker that makes topics by itself would give them the wrong number of partitions.
        .set("allow.auto.create.topics", "false")
        .set("socket.keepalive.enable", "true")
        .set("socket.nagle.disable", "true")
        // A broker that comes back is wanted at once.
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set_log_level(RDKafkaLogLevel::Info);
    for (key, file) in [
        ("ssl.ca.location", &config.ca),
        ("ssl.certificate.location", &config.certificate),
        ("ssl.key.location", &config.key),
    ] {
        if let Some(file) = file {
            client.set(key, file.to_string_lossy());
        }
    }
    let mechanism = match config.sasl {
        Sasl::None => return Ok(client),
        Sasl::Plain => "PLAIN",
        Sasl::ScramSha256 => "SCRAM-SHA-256",
        Sasl::ScramSha512 => "SCRAM-SHA-512",
    };
    client.set("sasl.mechanism", mechanism).set("sasl.username", &config.username);
    if let Some(password) = &config.password {
        let secret = password.read(disk).map_err(|source| {
            let file = match password {
                Password::File(file) => file.clone(),
                Password::Given { .. } => std::path::PathBuf::new(),
            };
            OpenError::Password { file, source }
        })?;
        client.set("sasl.password", secret.expose());
    }
    Ok(client)
}
