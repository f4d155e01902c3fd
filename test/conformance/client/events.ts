// Server-sent events, one at a time.

import { StringDecoder } from 'node:string_decoder';
import type { Exchange, Head } from './exchange.ts';

export interface ServerEvent {
  /** Undefined where the event has no name. */
  readonly event: string | undefined;
  readonly id: string | undefined;
  readonly data: string;
}

export class EventStream {
  readonly exchange: Exchange;
  readonly head: Head;
  readonly #decoder = new StringDecoder('utf8');
  #held = '';

  private constructor(exchange: Exchange, head: Head) {
    this.exchange = exchange;
    this.head = head;
  }

  static async of(exchange: Exchange): Promise<EventStream> {
    return new EventStream(exchange, await exchange.head);
  }

  /** The next event; undefined when the answer has ended. */
  async next(): Promise<ServerEvent | undefined> {
    for (;;) {
      const end = this.#held.indexOf('\n\n');
      if (end >= 0) {
        const block = this.#held.slice(0, end);
        this.#held = this.#held.slice(end + 2);
        return parse(block);
      }
      const piece = await this.exchange.read();
      if (piece === undefined) {
        if (this.#held !== '') throw new Error(`the answer ended inside an event: ${this.#held}`);
        return undefined;
      }
      this.#held += this.#decoder.write(piece);
    }
  }

  /** All events until the end. */
  async all(): Promise<ServerEvent[]> {
    const events: ServerEvent[] = [];
    for (let event = await this.next(); event !== undefined; event = await this.next()) events.push(event);
    return events;
  }

  /** The next event of that name; others are passed over. */
  async named(name: string): Promise<ServerEvent> {
    for (let event = await this.next(); event !== undefined; event = await this.next()) {
      if (event.event === name) return event;
    }
    throw new Error(`the events ended before one named ${name}`);
  }
}

function parse(block: string): ServerEvent {
  const fields = block.split('\n').map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')] as const;
  });
  const value = (name: string): string | undefined => fields.find(([field]) => field === name)?.[1];
  const data = fields.filter(([field]) => field === 'data').map(([, text]) => text);
  return { event: value('event'), id: value('id'), data: data.join('\n') };
}
