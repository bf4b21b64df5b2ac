// What the openai package does with a server: node client.mjs http://127.0.0.1:8080/
import assert from 'node:assert/strict';
import OpenAI, {toFile} from 'openai';

const client = new OpenAI({baseURL: process.argv[2] + 'v1', apiKey: 'none', maxRetries: 0, timeout: 60_000});
const messages = [{role: 'user', content: 'Good morrow, my lord. What news?'}];
const settings = {model: 'tiny-llm', messages, seed: 4, max_tokens: 24};
const schema = {type: 'object', properties: {name: {type: 'string', maxLength: 12}, age: {type: 'integer', minimum: 1, maximum: 99}},
  required: ['name', 'age'], additionalProperties: false};

const steps = {
  async models() {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    assert.ok(names.includes('tiny-llm'), names.join());
  },
  async chat() {
    const answer = await client.chat.completions.create(settings);
    assert.equal(answer.choices[0].message.role, 'assistant');
    assert.ok(answer.choices[0].message.content.length > 0);
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  },
  async stream() {
    const whole = await client.chat.completions.create(settings);
    let text = '';
    let usage;
    const stream = await client.chat.completions.create({...settings, stream: true, stream_options: {include_usage: true}});
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, whole.choices[0].message.content);
    assert.equal(usage.completion_tokens, whole.usage.completion_tokens);
    const helped = await client.chat.completions.stream(settings).finalChatCompletion();
    assert.equal(helped.choices[0].message.content, text);
  },
  async stop() {
    const stream = await client.chat.completions.create({...settings, temperature: 2, max_tokens: 400, stream: true});
    let pieces = 0;
    for await (const _ of stream) if (++pieces === 3) break;
    assert.equal(pieces, 3);
  },
  async logprobs() {
    const answer = await client.chat.completions.create({...settings, max_tokens: 3, logprobs: true, top_logprobs: 2});
    const first = answer.choices[0].logprobs.content[0];
    assert.ok(first.logprob <= 0 && first.top_logprobs.length === 2);
  },
  async tools() {
    const tool = {type: 'function', function: {name: 'greet', description: 'Greets', parameters: schema}};
    const answer = await client.chat.completions.create({...settings, max_tokens: 100, tools: [tool], tool_choice: {type: 'function', function: {name: 'greet'}}});
    const [call] = answer.choices[0].message.tool_calls;
    assert.equal(call.function.name, 'greet');
    assert.equal(typeof JSON.parse(call.function.arguments).age, 'number');
    assert.equal(answer.choices[0].finish_reason, 'tool_calls');
  },
  async thoughts_and_tools_streamed() {
    const tool = {type: 'function', function: {name: 'greet', parameters: schema}};
    const asked = {model: 'caller', temperature: 0, messages: [{role: 'user', content: 'Q'}], tools: [tool]};
    let thoughts = '';
    const stream = client.chat.completions.stream({...asked, stream_options: {include_usage: true}});
    stream.on('chunk', chunk => thoughts += chunk.choices[0]?.delta.reasoning_content ?? '');
    const answer = await stream.finalChatCompletion();
    const [choice] = answer.choices;
    assert.equal(thoughts, 'hmm');
    assert.equal(choice.finish_reason, 'tool_calls');
    assert.deepEqual(JSON.parse(choice.message.tool_calls[0].function.arguments), {name: 'Ann', age: 4});
    assert.ok(answer.usage.completion_tokens > 4);
    assert.equal((await client.chat.completions.create(asked)).choices[0].message.reasoning_content, 'hmm');
  },
  async tools_run() {
    const greeted = [];
    const greet = {type: 'function', function: {name: 'greet', parameters: schema, parse: JSON.parse,
      function: person => { greeted.push(person.name); return 'R'; }}};
    const runner = client.chat.completions.runTools(
      {model: 'caller', temperature: 0, messages: [{role: 'user', content: 'Q'}], tools: [greet]});
    assert.equal(await runner.finalContent(), 'She smiles.');
    assert.deepEqual(greeted, ['Ann']);
  },
  async json_schema_streamed() {
    const stream = client.chat.completions.stream({...settings, max_tokens: 100,
      response_format: {type: 'json_schema', json_schema: {name: 'person', strict: true, schema}}});
    assert.equal(typeof JSON.parse(await stream.finalContent()).age, 'number');
  },
  async json_schema() {
    const answer = await client.chat.completions.parse({...settings, max_tokens: 100,
      response_format: {type: 'json_schema', json_schema: {name: 'person', strict: true, schema}}});
    assert.deepEqual(Object.keys(answer.choices[0].message.parsed), ['name', 'age']);
  },
  async completions() {
    const asked = {model: 'tiny-llm', prompt: 'ROMEO:\n', max_tokens: 4, temperature: 0, echo: true, logprobs: 1};
    const answer = await client.completions.create(asked);
    assert.ok(answer.choices[0].text.startsWith('ROMEO:\n'));
    assert.equal(answer.choices[0].logprobs.token_logprobs[0], null);
    let text = '';
    for await (const part of await client.completions.create({...asked, stream: true})) text += part.choices[0].text;
    assert.equal(text, answer.choices[0].text);
  },
  async embeddings() {
    const answer = await client.embeddings.create({model: 'minilm-l6', input: ['a fox', 'a dog']});
    assert.equal(answer.data.length, 2);
    // The package asks for base64 and decodes it.
    const length = Math.hypot(...answer.data[0].embedding);
    assert.ok(Math.abs(length - 1) < 1e-3, String(length));
  },
  async images() {
    const made = await client.images.generate({model: 'tiny-sd', prompt: 'a red circle on a blue background', size: '64x64', response_format: 'b64_json'});
    const png = Buffer.from(made.data[0].b64_json, 'base64');
    assert.equal(png.subarray(1, 4).toString(), 'PNG');
    const edited = await client.images.edit({model: 'tiny-sd', prompt: 'a green star', image: await toFile(png, 'image.png', {type: 'image/png'})});
    assert.equal(Buffer.from(edited.data[0].b64_json, 'base64').subarray(1, 4).toString(), 'PNG');
    const events = [];
    const stream = await client.images.generate({model: 'tiny-sd', prompt: 'a green star', size: '64x64', stream: true, partial_images: 2});
    for await (const event of stream) events.push(event.type);
    assert.equal(events.filter(type => type === 'image_generation.partial_image').length, 2, events.join());
    assert.equal(events.at(-1), 'image_generation.completed');
  },
  async errors() {
    await assert.rejects(client.chat.completions.create({...settings, messages: [{role: 'user', content: 'word '.repeat(3000)}]}),
      error => error instanceof OpenAI.BadRequestError && error.code === 'context_length_exceeded' && /512/.test(error.message));
    await assert.rejects(client.chat.completions.create({...settings, model: 'none'}), OpenAI.NotFoundError);
    await assert.rejects(client.chat.completions.create({...settings, temperature: -1}), OpenAI.BadRequestError);
  },
};

let failed = 0;
for (const [name, step] of Object.entries(steps)) {
  try {
    await step();
    console.log('ok ' + name);
  } catch (error) {
    failed++;
    console.log('failed ' + name + ': ' + (error.stack ?? error));
  }
}
process.exit(failed ? 1 : 0);
