/** Token buckets by name: so many a second, and so many saved up. */

export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

export interface RateLimit {
  /** Seconds to wait until there is one for `name` again; 0: taken. */
  take(name: string): number;
}

const maxBuckets = 10_000;

export function createRateLimit({ perSecond, burst }: Rate, now: () => number = Date.now): RateLimit {
  const buckets = new Map<string, { left: number; at: number }>();
  const forgetFull = (time: number): void => {
    for (const [name, { left, at }] of buckets) if (left + ((time - at) / 1000) * perSecond >= burst) buckets.delete(name);
  };
  return {
    take(name) {
      const time = now();
      if (buckets.size >= maxBuckets && !buckets.has(name)) forgetFull(time);
      const bucket = buckets.get(name) ?? { left: burst, at: time };
      buckets.set(name, bucket);
      bucket.left = Math.min(burst, bucket.left + (Math.max(0, time - bucket.at) / 1000) * perSecond);
      bucket.at = time;
      if (bucket.left < 1) return (1 - bucket.left) / perSecond;
      bucket.left--;
      return 0;
    },
  };
}
