// The server's HTTP interface: keys, errors as sentences, streams of events.

const KEY = 'gatun.key';
let askForKey = () => {};

/// What is called when the server wants a key, or another one.
export const onUnauthorized = ask => { askForKey = ask; };
export const key = () => sessionStorage.getItem(KEY) ?? '';
export const setKey = value => value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY);

/// An error whose message is a sentence for the user.
export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/// The response to a request that went well. JSON is sent if `body` is a plain object, else `body` as it is.
export async function request(path, {body, signal, method = body ? 'POST' : 'GET'} = {}) {
  const headers = {};
  if (key()) headers.Authorization = 'Bearer ' + key();
  const json = body && Object.getPrototypeOf(body) === Object.prototype;
  if (json) headers['Content-Type'] = 'application/json';
  let response;
  try {
    response = await fetch(path, {method, headers, signal, body: json ? JSON.stringify(body) : body});
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError('The server does not answer. Is gatun serve still running?');
  }
  if (response.ok) return response;
  if (response.status === 401) askForKey();
  throw new ApiError(await sentence(response), response.status);
}

export const json = async (path, options) => (await request(path, options)).json();

async function sentence(response) {
  const text = await response.text().catch(() => '');
  let message = '';
  try {
    const {error} = JSON.parse(text);
    message = typeof error === 'string' ? error : error.message;
  } catch {
    // Not one of our errors: a proxy's, or none at all.
  }
  if (!message) message = `The server answered ${response.status} ${response.statusText}`.trim();
  if (response.status === 429) {
    const after = response.headers.get('Retry-After');
    if (after) message += ` Try again in ${after} s.`;
  }
  return /[.!?]$/.test(message) ? message : message + '.';
}

/// The events of a stream as {event, data}: data is parsed; what is sent to keep the line open is left out.
/// A stream that ends with an error throws it.
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      let step;
      try {
        step = await reader.read();
      } catch (error) {
        if (error.name === 'AbortError') throw error;
        throw new ApiError('The connection to the server broke off.');
      }
      rest += (step.value ?? '').replaceAll('\r', '');
      const parts = rest.split('\n\n');
      rest = parts.pop();
      for (const part of parts) {
        let event = 'message';
        const data = [];
        for (const line of part.split('\n')) {
          if (line.startsWith('event:')) event = line.slice(6).trim();
          else if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5));
        }
        const text = data.join('\n');
        if (!text) continue;
        if (text === '[DONE]') return;
        const value = JSON.parse(text);
        if (value.error) throw new ApiError(value.error.message ?? String(value.error));
        yield {event, data: value};
      }
      if (step.done) return;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
