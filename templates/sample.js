"use strict";
const list = document.getElementById("events");
const state = document.getElementById("state");
let last = 0, count = 0;
function row(event) {
  const item = document.createElement("li");
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  const part = (text, name) => {
    const span = document.createElement("span");
    span.className = name;
    span.textContent = text + " ";
    summary.append(span);
  };
  part(event.type.split(".").pop(), "kind");
  part(event.data.link_name || "", "");
  const time = document.createElement("time");
  time.className = "dim";
  time.dateTime = time.title = event.time;
  time.textContent = new Date(event.time).toLocaleTimeString() + " ";
  summary.append(time);
  part(event.data.url || "", "dim");
  const text = document.createElement("pre");
  text.textContent = JSON.stringify(event, null, 2);
  details.append(summary, text);
  item.append(details);
  return item;
}
async function poll() {
  try {
    const answer = await fetch("/v1/events?after=" + last);
    const found = await answer.json();
    last = found.last;
    for (const event of found.events) { list.prepend(row(event)); count += 1; }
    state.textContent = count ? count + " so far, newest first" : "none yet";
  } catch (error) {
    state.textContent = "the node does not answer";
  }
  setTimeout(poll, 500);
}
poll();
