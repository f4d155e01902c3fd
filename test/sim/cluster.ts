// The channel tasks: one process on each machine, started again after it ended.

import { type ClockFaults, Machine } from './machine.ts';
import { Process, type Surroundings } from './process.ts';
import type { Dice } from './random.ts';
import type { Situations } from './situations.ts';

/** A process that does not end by then is killed. */
const GRACE_MS = 3_000;

interface Task {
  readonly machine: Machine;
  readonly dice: Dice;
  process: Process | undefined;
  generation: number;
  isStarting: boolean;
}

export class Cluster {
  readonly #world: Surroundings;
  readonly #situations: Situations;
  readonly #tasks: readonly Task[];
  readonly #dice: Dice;
  readonly #note: (text: string) => void;

  constructor(
    world: Surroundings,
    dice: Dice,
    clocks: ClockFaults,
    tasksCount: number,
    situations: Situations,
    note: (text: string) => void,
  ) {
    this.#world = world;
    this.#dice = dice;
    this.#situations = situations;
    this.#note = note;
    this.#tasks = Array.from({ length: tasksCount }, (_, i) => {
      const name = `task-${i}`;
      const own = dice.fork(name);
      return {
        machine: new Machine(name, world.loop, own.fork('clock'), clocks, i % 2 === 0 ? -1 : 1),
        dice: own,
        process: undefined,
        generation: 0,
        isStarting: false,
      };
    });
  }

  get machines(): readonly Machine[] {
    return this.#tasks.map(({ machine }) => machine);
  }

  get processes(): readonly Process[] {
    return this.#tasks.flatMap(({ process }) => (process === undefined ? [] : [process]));
  }

  /** What runs on a machine now. */
  at(index: number): Process | undefined {
    return this.#tasks[index]?.process;
  }

  /** Undefined once it has ended. */
  indexOf(process: Process): number | undefined {
    const index = this.#tasks.findIndex((task) => task.process === process);
    return index < 0 ? undefined : index;
  }

  /** Indices of the tasks that take themselves for the owner. */
  owners(): number[] {
    return this.#tasks.flatMap(({ process }, i) => (process?.isOwner ? [i] : []));
  }

  startAll(): void {
    for (const task of this.#tasks) this.#start(task);
  }

  kill(index: number, restartMs: number): void {
    const task = this.#tasks[index];
    if (task?.process === undefined) return;
    if (task.process.isOwner) this.#situations.count('killed while active');
    this.#note(`${task.process.name} is killed${task.process.isOwner ? ', the owner' : ''}`);
    task.process.kill();
    this.#ended(task, restartMs);
  }

  close(index: number, restartMs: number): void {
    const task = this.#tasks[index];
    const process = task?.process;
    if (task === undefined || process === undefined || process.isClosing) return;
    this.#note(`${process.name} is closed${process.isOwner ? ', the owner' : ''}`);
    if (process.isOwner) this.#situations.count('released by a deploy');
    process.close(GRACE_MS, () => {
      if (task.process === process) this.#ended(task, restartMs);
    });
  }

  /** Replaces every task, one after the other. */
  deploy(gapMs: number): void {
    this.#note('a deploy');
    this.#tasks.forEach((_, i) => {
      this.#world.loop.after(i * gapMs, () => this.close(i, 10));
    });
  }

  freeze(index: number, ms: number, isSuspended: boolean): void {
    const process = this.#tasks[index]?.process;
    if (process === undefined || process.gate.isFrozen) return;
    const wasOwner = process.isOwner;
    const epochs = this.#epochs();
    this.#note(`${process.name} is ${isSuspended ? 'suspended' : 'frozen'} for ${ms.toFixed(0)} ms${wasOwner ? ', the owner' : ''}`);
    if (isSuspended && wasOwner) this.#situations.count('suspended while active');
    process.gate.freeze();
    if (isSuspended) process.machine.suspend();
    this.#world.loop.after(ms, () => {
      if (!process.gate.isFrozen) return;
      if (wasOwner && this.#epochs() > epochs) this.#situations.count('frozen while active, thawed after a takeover');
      this.#thaw(process);
    });
  }

  /** Whoever is frozen goes on now. */
  thawAll(): void {
    for (const { process } of this.#tasks) if (process?.gate.isFrozen) this.#thaw(process);
  }

  heal(): void {
    for (const task of this.#tasks) {
      if (task.process?.gate.isFrozen) this.#thaw(task.process);
      if (task.process === undefined && !task.isStarting) this.#start(task);
    }
  }

  #thaw(process: Process): void {
    process.machine.resume();
    process.gate.thaw(this.#world.loop, this.#dice);
  }

  #epochs(): number {
    return this.#world.audit.channels.reduce((sum, { epoch }) => sum + epoch, 0);
  }

  #ended(task: Task, restartMs: number): void {
    task.process = undefined;
    task.machine.resume();
    if (task.isStarting) return;
    task.isStarting = true;
    this.#world.loop.after(restartMs, () => {
      task.isStarting = false;
      this.#start(task);
    });
  }

  #start(task: Task): void {
    task.generation += 1;
    task.process = new Process(this.#world, task.machine, task.dice.fork(`process-${task.generation}`), task.generation);
  }
}
