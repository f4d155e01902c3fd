import { env, SELF } from 'cloudflare:test';
import { expect, test } from 'vitest';
import { Owners } from '../../../edge/owners.ts';
import { RateLimiter } from '../../../edge/rate-limit.ts';
import { readSettings } from '../../../edge/settings.ts';

test('the Worker as wrangler.jsonc has it answers, and says so when its origin does not', async () => {
  expect(readSettings(env)).toMatchObject({ origin: 'http://127.0.0.1:1', auth: 'off', corsOrigins: '*', takesAppendSessions: true });
  const answer = await SELF.fetch('http://edge.invalid/v1/basins');
  expect([answer.status, await answer.json()]).toEqual([503, { code: 'unavailable', message: expect.any(String) }]);
  expect(answer.headers.get('cache-control')).toBe('no-store, no-transform');
});

test('a rate is a rate, with a burst of two seconds', async () => {
  const limiter = new RateLimiter(undefined, 10);
  const allowed = async (now: number, times: number): Promise<number> => {
    let count = 0;
    for (let i = 0; i < times; i += 1) if (await limiter.allows('a', now)) count += 1;
    return count;
  };
  expect(await allowed(0, 100)).toBe(20);
  expect(await allowed(500, 100)).toBe(5);
  expect(await allowed(60_000, 100)).toBe(20);
  expect(await limiter.allows('b', 60_000)).toBe(true);
});

test('the platform counts where it is bound', async () => {
  const asked: string[] = [];
  const binding = {
    limit: async ({ key }: { key: string }) => {
      asked.push(key);
      return { success: key !== 'bad' };
    },
  };
  const limiter = new RateLimiter(binding, 1);
  expect([await limiter.allows('good', 0), await limiter.allows('good', 0), await limiter.allows('bad', 0)]).toEqual([true, true, false]);
  expect(asked).toEqual(['good', 'good', 'bad']);
});

test('X4: a pattern allows what it says and nothing that looks like it', () => {
  const { owners } = readSettings({
    MILLRACE_ORIGIN: 'https://cell.example.com',
    MILLRACE_OWNERS: 'https://*.tasks.example.com, http://10.0.0.1:8080',
  });
  const routes = new Owners('https://cell.example.com', owners);
  for (const good of [
    'https://a.tasks.example.com',
    'https://a.b.tasks.example.com/',
    'https://A.tasks.example.com:443',
    'http://10.0.0.1:8080',
    'https://cell.example.com',
  ]) {
    expect(routes.allowed(good), good).toBe(new URL(good).origin);
  }
  for (const bad of [
    'https://tasks.example.com',
    'https://evil-tasks.example.com',
    'https://atasks.example.com',
    'https://a.tasks.example.com.evil.net',
    'https://a.tasks.example.com:8443',
    'http://a.tasks.example.com',
    'https://a.tasks.example.com@evil.net',
    'https://a.tasks.example.com/path',
    'https://a.tasks.example.com?x',
    'http://10.0.0.1',
    'https://cell.example.com:8443',
    null,
    '',
  ]) {
    expect(routes.allowed(bad), `${bad}`).toBeUndefined();
  }
});

test('routes are bounded in number and age', () => {
  const routes = new Owners('https://o.example.com', []);
  for (let i = 0; i < 5_000; i += 1) routes.note(`basin/${i}`, 'https://t.example.com', i);
  expect([routes.find('basin/0', 5_000), routes.find('basin/4999', 5_000)]).toEqual(['https://o.example.com', 'https://t.example.com']);
  // Used all the time, it is asked for anew all the same.
  routes.note('basin/4999', 'https://t.example.com', 30_000);
  expect([routes.find('basin/4999', 64_998), routes.find('basin/4999', 64_999)]).toEqual([
    'https://t.example.com',
    'https://o.example.com',
  ]);
});
