// What client.d.ts promises, for the TypeScript compiler. Nothing runs it.
import { AttachAddon } from '@xterm/addon-attach';
import { connect, type ConnectOptions, type Reconnecting, type Socket, type SocketEventMap } from './client.js';

const options: ConnectOptions = { resume: true, protocols: ['v1.wspipe'], after: 3, queue: 1 << 16, key: 'left' };
const socket: Socket = connect('/path', options);
connect(new URL('ws://localhost:8080/'), { protocols: 'chat' });

socket.binaryType = 'arraybuffer';
socket.addEventListener('open', () => {
  socket.send('text');
  socket.send(new Uint8Array(3));
  socket.send(new ArrayBuffer(3));
  socket.send(new Blob(['x']));
}, { once: true });
socket.addEventListener('message', ({ data, origin }) => console.log(data, origin.length));
socket.addEventListener('close', ({ code, reason, wasClean }) => console.log(code.toFixed(), reason.length, wasClean));
socket.addEventListener('reconnecting', ({ detail }) => show(detail));
socket.addEventListener('resumed', (event) => console.log(event.timeStamp));
socket.removeEventListener('resumed', console.log);
socket.onopen = (event) => console.log(event.type);
socket.onresumed = (event) => console.log(event.type);
socket.onmessage = ({ data }) => console.log(data);
socket.onerror = null;
socket.onclose = ({ code }) => code === 4011 && connect(socket.url);
socket.onreconnecting = ({ detail: { attempt, delay, code } }) => console.log(attempt + delay + code);
const counts: number = socket.received + socket.bufferedAmount + socket.readyState + socket.CLOSED;
const names: string = socket.protocol + socket.extensions + socket.url;
socket.dispatchEvent(new Event('own'));
socket.close();
socket.close(1000, 'done');

function show(r: Reconnecting): keyof SocketEventMap {
  console.log(r.attempt, counts, names);
  return 'resumed';
}

// It stands in for a WebSocket.
const plain: WebSocket = socket;
new AttachAddon(socket, { bidirectional: true }).dispose();
plain.close();

// @ts-expect-error it is a count
connect('/', { after: '3' });
// @ts-expect-error no such option
connect('/', { retries: 3 });
// @ts-expect-error nobody sets it
socket.received = 0;
// @ts-expect-error these cannot be sent
socket.send({ an: 'object' });
