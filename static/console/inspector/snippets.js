// Code for an endpoint: each function takes {url, subprotocols, token, message, info},
// where token says that one is needed; it stands as TOKEN. Every value is quoted for
// its language.

const js = (value) => JSON.stringify(value).replaceAll('<', '\\u003c').replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');

// sh quotes a word for a POSIX shell.
const sh = (word) => /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

// py is a string literal of Python: JSON's is, as its surrogates are written as they are.
const py = (value) => JSON.stringify(value);

const withToken = (url, token) => token ? `${url}${url.includes('?') ? '&' : '?'}access_token=TOKEN` : url;

const http = (url) => url.replace(/^ws/, 'http');

function script({ url, subprotocols, token, message }) {
  const protocols = subprotocols.length ? `, ${js(subprotocols)}` : '';
  return `const ws = new WebSocket(${js(withToken(url, token))}${protocols});
ws.onopen = () => ws.send(${js(message)});
ws.onmessage = ({ data }) => console.log(data);
ws.onclose = ({ code, reason }) => console.log(code, reason);
`;
}

function python({ url, subprotocols, token, message }) {
  const options = [...subprotocols.length ? [`subprotocols=${py(subprotocols)}`] : [], ...token ? ['additional_headers={"Authorization": "Bearer TOKEN"}'] : []];
  return `# pip install websockets
import asyncio
import websockets

async def main():
    async with websockets.connect(${[py(url), ...options].join(', ')}) as ws:
        await ws.send(${py(message)})
        async for message in ws:
            print(message)
        print(ws.close_code, ws.close_reason)

asyncio.run(main())
`;
}

function curl({ url, token, message, info }) {
  const header = token ? " -H 'Authorization: Bearer TOKEN'" : '';
  const lines = [];
  if (info?.http) {
    lines.push(`curl -N${header} ${sh(http(url))}`, `printf '%s\\n' ${sh(message)} | curl -N${header} -T - ${sh(http(url))}`);
  } else {
    lines.push(info ? '# Plain HTTP needs a server with --http:' : '# Plain HTTP needs a server that answers it:', `# curl -N${header} ${sh(http(url))}`);
    lines.push('# A curl that knows ws: reads messages, and sends none:', `curl -N${header} ${sh(url)}`);
  }
  return `${lines.join('\n')}\n`;
}

function websocat({ url, subprotocols, token, message }) {
  const options = [...subprotocols.length ? [`--protocol ${sh(subprotocols.join(','))}`] : [], ...token ? ["-H 'Authorization: Bearer TOKEN'"] : []];
  return `printf '%s\\n' ${sh(message)} | ${['websocat', '-n', ...options, sh(url)].join(' ')}\n`;
}

function wspipe({ url, subprotocols, token, message }) {
  const options = [...subprotocols.length ? [`--subprotocol=${sh(subprotocols.join(','))}`] : [], ...token ? ['--token=TOKEN'] : []];
  return `printf '%s\\n' ${sh(message)} | ${['wspipe', 'connect', ...options, sh(url)].join(' ')}\n`;
}

function page(use) {
  return `<!doctype html>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>WebSocket</title>
<pre id="out"></pre>
<form id="form"><input id="text" autofocus> <button>Send</button></form>
<script>
const show = (line) => { out.textContent += line + '\\n'; };
${script(use).replaceAll('console.log(data)', 'show(data)').replaceAll('console.log(code, reason)', "show(code + ' ' + reason)")}form.onsubmit = (event) => {
  event.preventDefault();
  ws.send(text.value);
  text.value = '';
};
</script>
`;
}

export const snippets = { JavaScript: script, Python: python, curl, websocat, 'wspipe connect': wspipe, 'HTML page': page };
