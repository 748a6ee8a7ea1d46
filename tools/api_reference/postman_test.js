// The tests of every request: `expected` is set by the request's own pre-request script.
const expected = JSON.parse(pm.variables.get("expected"));
pm.test(`the status is ${expected.status}`, () => pm.response.to.have.status(expected.status));
pm.test(`the body is ${expected.type}`, () => pm.expect(pm.response.headers.get("Content-Type")).to.include(expected.type));
if ("replayed" in expected) {
  const title = expected.replayed ? "it is an earlier answer again" : "it is an answer of its own";
  pm.test(title, () => pm.expect(pm.response.headers.has("Idempotent-Replayed")).to.eql(expected.replayed));
}
if ("text" in expected) pm.test("it is acknowledged", () => pm.expect(pm.response.text()).to.include(expected.text));
if ("answer" in expected) {
  const answer = pm.response.json();
  pm.test("every key is there, flat and not null", () => {
    const keys = JSON.parse(pm.collectionVariables.get("answerKeys"));
    pm.expect(Object.keys(answer)).to.include.members(keys);
    for (const key of keys) pm.expect(typeof answer[key]).to.be.oneOf(["string", "number", "boolean"]);
  });
  if (pm.request.url.getPath().startsWith("/data-actions/") && answer.initiationId)
    pm.collectionVariables.set("initiationId", answer.initiationId);
  for (const [key, value] of Object.entries(expected.answer))
    pm.test(`${key} is ${value}`, () => pm.expect(answer[key]).to.eql(value));
}
