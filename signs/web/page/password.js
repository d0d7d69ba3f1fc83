// The question for the password; it is sent as JSON in a body, and stands in no address.

import { $, text } from "./elements.js";
import { say } from "./words.js";

$("door").addEventListener("submit", async event => {
  event.preventDefault();
  const response = await fetch("/password", { method: "POST", body: JSON.stringify({ password: $("password").value }) });
  if (response.ok) return location.replace("/");
  const { wait } = await response.json();
  text($("door-said"), wait ? say("password.wait", { seconds: wait }) : say("password.wrong"));
  $("password").value = "";
  $("password").focus();
});
$("go").disabled = false;  // before that Enter would send the form the browser's way, and the password were gone
