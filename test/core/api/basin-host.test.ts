// Which hosts are those of basins, and what their labels are.

import { describe, expect, test } from 'vitest';
import { basinHosts } from '#core/wire/basin-host.ts';

describe('a host', () => {
  const basinOf = basinHosts(['b.localhost', 'streams.example', 'eu.streams.example']);

  test.each([
    ['my-basin.b.localhost', 'my-basin'],
    ['my-basin.b.localhost:8080', 'my-basin'],
    ['MY-Basin.B.LocalHost:8080', 'my-basin'],
    ['my-basin.b.localhost.:8080', 'my-basin'],
    ['my-basin.streams.example', 'my-basin'],
    ['my-basin.eu.streams.example', 'my-basin'],
    ['a.label.b.localhost', 'a.label'],
    ['b.localhost', undefined],
    ['.b.localhost', undefined],
    ['my-basinb.localhost', undefined],
    ['my-basin.b.localhost.evil.example', undefined],
    ['localhost:8080', undefined],
    ['127.0.0.1:8080', undefined],
    ['[::1]:8080', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%j is that of %j', (host, basin) => {
    expect(basinOf(host)).toBe(basin);
  });

  test('is never that of a basin where no suffix is configured', () => {
    expect(basinHosts([])('my-basin.b.localhost')).toBeUndefined();
  });
});
