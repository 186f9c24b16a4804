/**
 * A scheduler of Effect that keeps all tasks of all fibers in one queue and runs them only when it is told to, in the call. So it
 * knows exactly when nothing is left to do, and the order does not depend on the event loop.
 *
 * It also sees every fiber that runs, and so can tell which ones wait.
 */
import type * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"
import { Heap } from "../link/Heap.ts"

type Task = () => void

/** Tasks run out of the front of the array; it is cut when so much of it is behind. */
const leastCut = 4096

/** Tasks that one counts for which ends because its fiber has had its share, which is 2048 operations: most end much sooner, because they wait. */
const tasksOfShare = 200

export class VirtualScheduler implements Scheduler.Scheduler {
  readonly executionMode = "async"
  private tasks: Array<Task> = []
  private next = 0
  /** Tasks of another priority than 0, which hardly ever exist; the lowest number is first. */
  private readonly others: Heap<Task> = new Heap()
  private readonly seen: Set<Fiber.Fiber<unknown, unknown>> = new Set()
  private last: Fiber.Fiber<unknown, unknown> | undefined
  /** Shares that fibers have used up in this {@link drain}. */
  private shares = 0

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    if (fiber !== this.last) this.notice(fiber)
    if (fiber.currentOpCount < fiber.cache.maxOpsBeforeYield) return false
    this.shares++
    return true
  }

  private notice(fiber: Fiber.Fiber<unknown, unknown>): void {
    this.last = fiber
    if (this.seen.has(fiber)) return
    this.seen.add(fiber)
    fiber.addObserver(() => this.seen.delete(fiber))
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return {
      scheduleTask: (task, priority) => {
        if (priority === 0) this.tasks.push(task)
        else this.others.put(priority, task)
      },
      flush: () => this.drain(Infinity)
    }
  }

  get isIdle(): boolean {
    return this.next === this.tasks.length && this.others.size === 0
  }

  /**
   * Runs tasks until there are none, or until they have done the work of so many; answers how many that was. What it goes by is counted, not
   * measured, so that it is the same in each run.
   */
  drain(limit: number): number {
    this.shares = 0
    let count = 0
    for (let task = this.take(); task !== undefined; task = count < limit ? this.take() : undefined) {
      task()
      count += 1 + tasksOfShare * this.shares
      this.shares = 0
    }
    return count
  }

  private take(): Task | undefined {
    if (this.others.earliest < 0) return this.others.take()
    if (this.next === this.tasks.length) return this.others.take()
    const task = this.tasks[this.next++]
    if (this.next === this.tasks.length) {
      this.tasks = []
      this.next = 0
    } else if (this.next >= leastCut && this.next > this.tasks.length / 2) {
      this.tasks = this.tasks.slice(this.next)
      this.next = 0
    }
    return task
  }

  /** Fibers that have run and are not done, the oldest first. */
  get fibers(): ReadonlyArray<Fiber.Fiber<unknown, unknown>> {
    return [...this.seen].toSorted((a, b) => a.id - b.id)
  }
}
