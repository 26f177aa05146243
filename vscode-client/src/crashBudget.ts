/** How often a crashed server may come back: `limit` times within `windowMs`. */
export class CrashBudget {
  private times: number[] = [];

  constructor(
    private readonly limit: number,
    private readonly windowMs: number,
    private readonly now: () => number = Date.now,
  ) {}

  /** Counts a crash; true while the server should be started again. */
  spend(): boolean {
    const now = this.now();
    this.times = this.times.filter((time) => now - time < this.windowMs);
    this.times.push(now);
    return this.times.length <= this.limit;
  }
}
