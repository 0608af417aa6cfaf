//! People's programs at a name that was never seen.

use std::process::Command;

use crate::chromium::Browser;
use crate::house::{House, Plan};

#[test]
fn curl_sees_a_new_name_at_its_first_visit() {
    let house = House::new(&Plan::default());
    let name = "curl.example.test";
    house.publish(name);
    let https = house.node().https();
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "10", "--cacert"])
        .arg(house.pebble.root_file())
        .args(["--connect-to", &format!("{name}:443:{https}")])
        .args(["--write-out", "%{http_code} %{time_total}", "--output", "/dev/null"])
        .arg(format!("https://{name}/"))
        .output()
        .expect("curl is needed");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.starts_with("200 "), "{told}{}", String::from_utf8_lossy(&output.stderr));
    println!("curl: {told} s");
}

#[test]
fn chromium_sees_a_new_name_at_its_first_visit() {
    if !Browser::is_here() {
        return;
    }
    let house = House::new(&Plan::default());
    // Browsers know where these are.
    house.customers.dns.zone("localhost", 60);
    let name = "chromium.localhost";
    house.publish(name);
    let browser = Browser::start(Some(&house.pebble.root_file()));
    let port = house.node().https().port();
    let page = browser.open(&format!("https://{name}:{port}/"));
    page.wait_for("performance.getEntriesByType('navigation')[0].responseStatus === 200");
    assert_eq!(house.customers.show(name)["state"], "active");
}
