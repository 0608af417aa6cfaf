//! Domains for people.

use serde_json::Value;

/// What stands above the rows.
pub(super) const HEAD: &str =
    "domain                                    state        who        reason         since";

/// One line of a list.
pub(super) fn row(domain: &Value) -> String {
    let text = |key: &str| domain[key].as_str().unwrap_or("-").to_owned();
    format!(
        "{:<40}  {:<11}  {:<9}  {:<13}  {}",
        text("domain"),
        text("state"),
        text("who"),
        text("reason"),
        text("since")
    )
}

/// All that is known of one domain.
pub(super) fn sheet(domain: &Value) -> String {
    let mut sheet = String::new();
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            sheet.push_str(&format!("{name:<10}  {value}\n"));
        }
    };
    let text = |key: &str| domain[key].as_str().map(str::to_owned);
    line("domain", text("domain"));
    if domain["listed"] == false {
        line("listed", Some("no: nothing is kept; `waypost domain add` adds it".to_owned()));
    }
    line(
        "state",
        text("state").map(|state| format!("{state} ({})", text("reason").unwrap_or_default())),
    );
    line("expected", text("expected"));
    line("found", text("seen").or_else(|| text("found")));
    line("why", text("why"));
    line("who acts", text("who"));
    line("paste", text("record"));
    for server in domain["servers"].as_array().into_iter().flatten() {
        let part = |key: &str| server[key].as_str().unwrap_or("no address").to_owned();
        line("server", Some(format!("{} ({}): {}", part("server"), part("address"), part("said"))));
    }
    let trouble = &domain["trouble"];
    line(
        "trouble",
        trouble["why"]
            .as_str()
            .map(|why| format!("{why}, at {}", trouble["time"].as_str().unwrap_or("-"))),
    );
    line(
        "gone since",
        text("absent_since")
            .map(|since| format!("{since}, in {} answers", domain["absent_answers"])),
    );
    let assumed = if domain["sending_domain_assumed"] == true { " (assumed)" } else { "" };
    line("mail of", text("sending_domain").map(|sending| sending + assumed));
    line("account", text("account"));
    line("dkim", text("dkim"));
    let certificate = &domain["certificate"];
    line(
        "certified",
        certificate["not_after"].as_str().map(|until| {
            let part = |key: &str| certificate[key].as_str().unwrap_or("-");
            format!("until {until}, by {}, number {}", part("issuer"), part("serial"))
        }),
    );
    for order in domain["orders"].as_array().into_iter().flatten() {
        let part = |key: &str| order[key].as_str().unwrap_or_default();
        let what = format!(
            "{} {}: {} ({} ms)",
            part("time"),
            part("issuer"),
            part("outcome"),
            order["took_ms"]
        );
        let told = [part("detail"), part("who")].join("; who acts: ");
        line(
            "order",
            Some(if part("detail").is_empty() { what } else { format!("{what}: {told}") }),
        );
    }
    line("audit", audit(&domain["audit"]));
    line("since", text("since"));
    line("checked", text("checked"));
    let next = if domain["state"] == "removed" { "kept until" } else { "next check" };
    line(next, text("next_check"));
    sheet
}

/// What the last audit came to, and when that was.
fn audit(audit: &Value) -> Option<String> {
    let (status, at) = (audit["status"].as_str()?, audit["checked_at"].as_str()?);
    let list = |key: &str| {
        let topics = audit[key].as_array().into_iter().flatten().filter_map(Value::as_str);
        topics.collect::<Vec<_>>().join(", ")
    };
    let mut told = format!("{status}, at {at}");
    for (key, words) in
        [("doubted", "seen otherwise once, not yet twice"), ("unanswered", "DNS did not answer")]
    {
        let topics = list(key);
        if !topics.is_empty() {
            told.push_str(&format!("; {words}: {topics}"));
        }
    }
    Some(told)
}
