// Whether the calls on one stream can be put in an order that the model allows and that keeps to real time.
//
// The search of Wing and Gong with Lowe's memory, as in Porcupine: the beginnings and ends of all steps are a linked list; from its
// front up to the first end, any step may come next; what was tried once (the set of steps taken, the state reached) is not tried
// again. Three things make it fast:
//
//   1  A step that changes nothing is taken as soon as it can be, and never taken back: in an order that has it later, it can be
//      moved here. Only appends, creations and deletions are tried one after the other. (That a name is gone is seen at once, too:
//      seen later it could free a marked name, but so can whoever needs it free.) What shows more of a stream than its state is such
//      a step only where the name is one stream: else it is tried, as it may have been seen on either of two.
//   2  What steps.ts knows of appends whose outcome is unknown.
//   3  A path on which some step can never be taken any more is left at once (hopeless.ts).
//
// The set of steps taken is known by a 53-bit sum. Should two sets share one, an order may be missed, but no violation.

import { isHopeless, type Need, needOf } from './hopeless.ts';
import { contradiction, Model, type Position, type Sight, type State, tells } from './model.ts';
import { Places } from './places.ts';
import { SetSum } from './set-sum.ts';
import { type SearchStep, stepsOf } from './steps.ts';
import type { StreamCalls } from './stream-calls.ts';

export interface Stuck {
  /** The step that could not be placed by the time its call ended. */
  readonly step: SearchStep;
  /** The longest order that was found: its steps, and where it led. */
  readonly order: readonly SearchStep[];
  readonly state: State;
  readonly why: string;
}

export type Found =
  | { readonly kind: 'linearizable'; readonly steps: number }
  | { readonly kind: 'not-linearizable'; readonly steps: number; readonly stuck: Stuck }
  | { readonly kind: 'gave-up'; readonly steps: number };

/** `stepsMax`: how often a step may be tried. */
export function linearize(stream: StreamCalls, stepsMax: number): Found {
  return new Search(stream, stepsMax).run();
}

/** One event of the list; its end is absent for a step that need not happen. */
interface Links {
  /** The list is circular, with a head: event 2i is the beginning of step i, 2i + 1 its end. */
  readonly next: Int32Array;
  readonly previous: Int32Array;
}

interface Frame {
  readonly index: number;
  readonly state: State;
  readonly hashes: number[];
  readonly hashCount: number;
  /** Steps that were seen to hold before this one was taken: they go back with the frame below. */
  readonly seenBefore: number;
}

class Search {
  readonly #steps: readonly SearchStep[];
  readonly #needs: readonly Need[];
  readonly #isOneStream: boolean;
  readonly #stepsMax: number;
  readonly #model: Model;
  readonly #links: Links;
  readonly #head: number;
  readonly #taken: Uint8Array;
  readonly #position: Position;
  readonly #frames: Frame[] = [];
  /** In the order in which they were taken. */
  readonly #order: number[] = [];
  readonly #sum = new SetSum();
  readonly #tried = new Map<number, Set<number>>();
  #left: number;
  #count = 0;
  #deepest: { readonly left: number; readonly order: readonly number[]; readonly position: Position; readonly blocked: number } | undefined;

  constructor(stream: StreamCalls, stepsMax: number) {
    const places = new Places(stream);
    this.#model = new Model(places.only);
    this.#steps = stepsOf(stream, places);
    this.#needs = this.#steps.map(({ step }) => needOf(step));
    this.#isOneStream = stream.isOneStream;
    this.#stepsMax = stepsMax;
    this.#head = 2 * this.#steps.length;
    this.#links = linked(this.#steps);
    this.#taken = new Uint8Array(this.#steps.length);
    this.#position = this.#model.initial(stream.wasThere);
    this.#left = this.#steps.filter(({ required }) => required).length;
  }

  run(): Found {
    this.#takeSights();
    let event = this.#first();
    // What happened goes first, what may have happened only where that leads nowhere.
    let required = true;
    while (this.#left > 0) {
      if (this.#count > this.#stepsMax) return { kind: 'gave-up', steps: this.#count };
      if (event !== this.#head && event % 2 === 0) {
        const isTaken: boolean = this.#stepAt(event / 2).required === required && this.#take(event / 2);
        if (isTaken) this.#takeSights();
        const isLost: boolean = isTaken && this.#isHopeless();
        event = isLost ? this.#head : isTaken ? this.#first() : this.#after(event);
        required = isLost ? false : required || isTaken;
      } else if (required) {
        required = false;
        event = this.#first();
      } else {
        this.#note();
        const index = this.#back();
        if (index === undefined) return { kind: 'not-linearizable', steps: this.#count, stuck: this.#stuck() };
        event = this.#after(2 * index);
        required = this.#stepAt(index).required;
      }
    }
    return { kind: 'linearizable', steps: this.#count };
  }

  #first(): number {
    return this.#after(this.#head);
  }

  #after(event: number): number {
    return this.#links.next[event] ?? this.#head;
  }

  /** Takes every step that only saw something, and saw what is so here. */
  #takeSights(): void {
    for (let event = this.#first(); event !== this.#head && event % 2 === 0; event = this.#after(event)) {
      const index = event / 2;
      const { step } = this.#stepAt(index);
      if (step.kind === 'gone' && this.#position.state.life === 'absent') this.#lift(index);
      if (step.kind !== 'saw' || (tells(step.sight) && !this.#isOneStream)) continue;
      this.#count += 1;
      if (contradiction(this.#position, step.sight) !== undefined) continue;
      this.#model.tell(this.#position, step.sight);
      this.#lift(index);
    }
  }

  #see(sight: Sight): boolean {
    if (!tells(sight) || contradiction(this.#position, sight) !== undefined) return false;
    this.#model.tell(this.#position, sight);
    return true;
  }

  /** Takes a step that may change the state, unless that leads where the search has been. */
  #take(index: number): boolean {
    const { step, after, mayFollow } = this.#stepAt(index);
    this.#count += 1;
    const position = this.#position;
    const { state, hashes } = position;
    const hashCount = hashes.length;
    if (after !== undefined && this.#taken[after] === 0) return false;
    if (mayFollow?.(state) === false || this.#isOutOfTurn(index)) return false;
    if (step.kind === 'saw' ? !this.#see(step.sight) : !this.#model.take(position, step)) return false;
    if (this.#wasTried(index, position.state)) {
      restore(position, state, hashes, hashCount);
      return false;
    }
    this.#frames.push({ index, state, hashes, hashCount, seenBefore: this.#order.length });
    this.#lift(index);
    return true;
  }

  /** Rule 5 of steps.ts. */
  #isOutOfTurn(index: number): boolean {
    const last = this.#order.at(-1);
    const turn = this.#stepAt(index).turn;
    return last !== undefined && turn !== undefined && (this.#stepAt(last).turn ?? 0) > turn;
  }

  #wasTried(index: number, state: State): boolean {
    this.#sum.toggle(index);
    const sum = this.#sum.value;
    this.#sum.toggle(index);
    const states = this.#tried.get(sum);
    if (states?.has(state.id)) return true;
    if (states === undefined) this.#tried.set(sum, new Set([state.id]));
    else states.add(state.id);
    return false;
  }

  /** Takes back the last step that may have been taken too early. @returns it; undefined when there is none */
  #back(): number | undefined {
    const frame = this.#frames.pop();
    if (frame === undefined) return undefined;
    while (this.#order.length > frame.seenBefore) this.#unlift(this.#order.pop() ?? 0);
    restore(this.#position, frame.state, frame.hashes, frame.hashCount);
    return frame.index;
  }

  #lift(index: number): void {
    const { next, previous } = this.#links;
    // The end first, so that the beginning still leads on.
    if (this.#hasEnd(index)) unlink(next, previous, 2 * index + 1);
    unlink(next, previous, 2 * index);
    this.#order.push(index);
    this.#taken[index] = 1;
    this.#sum.toggle(index);
    if (this.#stepAt(index).required) this.#left -= 1;
  }

  /** The reverse of `lift`, in reverse order. */
  #unlift(index: number): void {
    const { next, previous } = this.#links;
    relink(next, previous, 2 * index);
    if (this.#hasEnd(index)) relink(next, previous, 2 * index + 1);
    this.#taken[index] = 0;
    this.#sum.toggle(index);
    if (this.#stepAt(index).required) this.#left += 1;
  }

  #hasEnd(index: number): boolean {
    return this.#stepAt(index).required;
  }

  #stepAt(index: number): SearchStep {
    const step = this.#steps[index];
    if (step === undefined) throw new Error(`there is no step ${index}`);
    return step;
  }

  /** The end that comes first: nothing that began behind it can come before it. The head when no call has to end any more. */
  #firstEnd(): number {
    let event = this.#first();
    while (event !== this.#head && event % 2 === 0) event = this.#after(event);
    return event;
  }

  #isHopeless(): boolean {
    const end = this.#firstEnd();
    if (end === this.#head) return false;
    const need = this.#needs[(end - 1) / 2];
    return need !== undefined && isHopeless(this.#position, need, () => this.#window());
  }

  /** The steps that may come next. */
  *#window(): Generator<SearchStep> {
    for (let event = this.#first(); event !== this.#head && event % 2 === 0; event = this.#after(event)) yield this.#stepAt(event / 2);
  }

  #note(): void {
    if (this.#deepest !== undefined && this.#deepest.left <= this.#left) return;
    const { state, hashes } = this.#position;
    this.#deepest = { left: this.#left, order: [...this.#order], position: { state, hashes: [...hashes] }, blocked: this.#firstEnd() };
  }

  #stuck(): Stuck {
    const deepest = this.#deepest;
    if (deepest === undefined) throw new Error('a search ends where it is stuck');
    const order = deepest.order.map((index) => this.#stepAt(index));
    const missing = this.#steps.findIndex((step) => step.required && !order.includes(step));
    const step = this.#stepAt(deepest.blocked === this.#head ? missing : (deepest.blocked - 1) / 2);
    return { step, order, state: deepest.position.state, why: whyNot(step, deepest.position) };
  }
}

function whyNot({ step }: SearchStep, position: Position): string {
  if (step.kind === 'saw') return contradiction(position, step.sight) ?? 'it holds only here';
  const { life, tail, token } = position.state;
  if (life !== 'live' || step.kind !== 'append') return `the name is ${life}`;
  const { start, matchSeqNum, fencingToken } = step;
  if (start !== undefined && start !== tail) return `the tail is ${tail}`;
  if (fencingToken !== undefined && fencingToken !== token) return `the fencing token is "${token}"`;
  if (matchSeqNum !== undefined && matchSeqNum !== tail) return `the tail is ${tail}`;
  return 'what follows cannot be so';
}

function restore(position: Position, state: State, hashes: number[], hashCount: number): void {
  position.state = state;
  position.hashes = hashes;
  hashes.length = hashCount;
}

/** All events in their order; at one moment beginnings come before ends, so that the calls overlap. */
function linked(steps: readonly SearchStep[]): Links {
  const events: { readonly at: number; readonly event: number }[] = [];
  steps.forEach(({ began, ended, required }, i) => {
    events.push({ at: began, event: 2 * i });
    if (required) events.push({ at: ended, event: 2 * i + 1 });
  });
  events.sort((a, b) => (a.at === b.at ? (a.event % 2) - (b.event % 2) || a.event - b.event : a.at - b.at));
  const head = 2 * steps.length;
  const next = new Int32Array(head + 1);
  const previous = new Int32Array(head + 1);
  let last = head;
  for (const { event } of events) {
    next[last] = event;
    previous[event] = last;
    last = event;
  }
  next[last] = head;
  previous[head] = last;
  return { next, previous };
}

function unlink(next: Int32Array, previous: Int32Array, event: number): void {
  const before = previous[event] ?? 0;
  const behind = next[event] ?? 0;
  next[before] = behind;
  previous[behind] = before;
}

function relink(next: Int32Array, previous: Int32Array, event: number): void {
  next[previous[event] ?? 0] = event;
  previous[next[event] ?? 0] = event;
}
