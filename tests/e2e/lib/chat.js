import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import Ajv2020 from 'ajv/dist/2020.js';
import WebSocket from 'ws';

const SCHEMA = path.join(import.meta.dirname, '../../../docs/chat-protocol.schema.json');
const ajv = new Ajv2020();
ajv.addSchema(JSON.parse(readFileSync(SCHEMA, 'utf8')), 'chat');
/** Whether a frame of the server is as the protocol says. */
const isServerFrame = ajv.compile({ $ref: 'chat#/$defs/serverFrame' });
const PATIENCE_MS = 10_000;

/** Somebody in a channel's chat, by WebSocket. Every frame that comes is held to the protocol's schema. */
export class Chatter {
  received = [];
  closed = null;
  #waiting = [];

  /**
   * @param {object} spillway the node
   * @param {object} headers of the request for the WebSocket
   */
  static async join(spillway, channel, hello = {}, headers = {}) {
    const chatter = new Chatter();
    const url = spillway.url(`/api/v1/channels/${channel}/chat`).replace('http', 'ws');
    await chatter.#open(url, headers);
    chatter.send({ type: 'hello', ...hello });
    return chatter;
  }

  #open(url, headers) {
    this.socket = new WebSocket(url, { headers });
    this.socket.on('message', (data, isBinary) => {
      assert.equal(isBinary, false);
      const frame = JSON.parse(data.toString());
      assert.ok(isServerFrame(frame), `${data}: ${ajv.errorsText(isServerFrame.errors)}`);
      this.received.push(...frame);
      this.#waiting = this.#waiting.filter((look) => !look());
    });
    this.socket.on('close', (code) => {
      this.closed = code;
      this.#waiting = this.#waiting.filter((look) => !look());
    });
    return new Promise((resolve, reject) => {
      this.socket.once('open', resolve);
      this.socket.once('error', reject);
    });
  }

  send(frame) {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  write(id, text, at) {
    this.send({ type: 'message', id, text, at });
  }

  /** Waits for what the function finds. */
  until(what, find) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no ${what}: ${JSON.stringify(this.received.slice(-5))}`)),
        PATIENCE_MS,
      );
      const look = () => {
        const found = find();
        if (found) {
          clearTimeout(timer);
          resolve(found);
        }
        return found;
      };
      if (!look()) this.#waiting.push(look);
    });
  }

  /** Waits for an object of a type, with these members. */
  next(type, members = {}) {
    const fits = (object) =>
      object.type === type &&
      Object.entries(members).every(([key, value]) => object[key] === value);
    return this.until(`${type} ${JSON.stringify(members)}`, () => this.received.find(fits));
  }

  /** The log as it came: each number once, in order, or it fails. */
  numbers() {
    return this.received.flatMap((object) => {
      if (object.type === 'skipped')
        return Array.from({ length: object.to - object.from + 1 }, (_, i) => object.from + i);
      return object.seq !== undefined && object.type !== 'stored' ? [object.seq] : [];
    });
  }

  texts() {
    return this.received.filter(({ type }) => type === 'message').map(({ text }) => text);
  }

  close() {
    this.socket.close();
  }
}
