// Events in the order of their times, and of their coming where times are equal: a binary heap.

export interface TimedEvent {
  readonly at: number;
  readonly order: number;
  /** Undefined: cancelled. */
  run: (() => void) | undefined;
}

export class EventHeap {
  readonly #heap: TimedEvent[] = [];

  push(event: TimedEvent): void {
    const heap = this.#heap;
    let i = heap.push(event) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(event, heap[parent] as TimedEvent)) break;
      heap[i] = heap[parent] as TimedEvent;
      i = parent;
    }
    heap[i] = event;
  }

  pop(): TimedEvent | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as TimedEvent, heap[child] as TimedEvent)) child += 1;
      if (!isBefore(heap[child] as TimedEvent, last)) break;
      heap[i] = heap[child] as TimedEvent;
      i = child;
    }
    heap[i] = last;
    return top;
  }
}

function isBefore(a: TimedEvent, b: TimedEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
