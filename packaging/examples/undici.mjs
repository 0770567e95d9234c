// Asks the model from Node.js over the Unix socket, which its own fetch() cannot name: with undici
// (`npm install undici`, or Debian's node-undici). A whole answer, then one as a stream.
//
//     node undici.mjs
import { Agent, fetch } from "undici";

const { NIGHTLOOM_HOME: home, XDG_RUNTIME_DIR: runtime } = process.env;
const socketPath = `${home ? `${home}/run` : `${runtime}/nightloom`}/api/api.sock`;
const dispatcher = new Agent({ connect: { socketPath }, bodyTimeout: 0, headersTimeout: 0 });

async function ask(body) {
  const answer = await fetch("http://nightloom/v1/chat/completions", {
    dispatcher,
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error((await answer.json()).error.message);
  return answer;
}

const question = {
  model: "personal",
  messages: [{ role: "user", content: "How was spring?" }],
};

const whole = await (await ask(question)).json();
console.log(whole.choices[0].message.content);

const decoder = new TextDecoder();
let pending = "";
for await (const bytes of (await ask({ ...question, stream: true })).body) {
  const lines = (pending + decoder.decode(bytes, { stream: true })).split("\n");
  pending = lines.pop();
  for (const line of lines) {
    if (!line.startsWith("data: ") || line === "data: [DONE]") continue; // empty, or a ping
    const event = JSON.parse(line.slice("data: ".length));
    if (event.error) throw new Error(event.error.message);
    process.stdout.write(event.choices[0].delta.content ?? "");
  }
}
console.log();
await dispatcher.close();
