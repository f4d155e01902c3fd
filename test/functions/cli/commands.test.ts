// Basins, streams and how they are set up, through the command line against a real server.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Server, startServer } from '#test/support/server.ts';
import { cliFor, runCli } from './support.ts';

const BASIN = 'cli-basin';

let server: Server;
let cli: ReturnType<typeof cliFor>;

beforeAll(async () => {
  server = await startServer();
  cli = cliFor(server.url);
  await cli.ok(['create', BASIN]);
});

afterAll(async () => {
  await server?.dispose();
});

describe('create, ls and rm', () => {
  test('a basin that exists is refused, or found with --if-missing', async () => {
    const again = await cli.run(['create', BASIN]);
    expect([again.code, again.stdout]).toEqual([1, '']);
    expect(again.stderr).toMatch(/^millrace: resource_already_exists: .*cli-basin.*--if-missing.*\n$/);
    expect(await cli.ok(['create', BASIN, '--if-missing', '--json'])).toBe('{"result":"exists","basin":"cli-basin","stream":null}\n');
  });

  test('a stream lies behind the first slash, and its name may hold more', async () => {
    expect(await cli.ok(['create', `${BASIN}/a/b c/é`])).toBe('created cli-basin/a/b c/é\n');
    expect(await cli.ok(['ls', `${BASIN}/a/`])).toBe('a/b c/é\n');
    expect(await cli.ok(['ls', BASIN, '--json'])).toMatch(
      /^\{"name":"a\/b c\/é","cipher":null,"created_at":"[\d-]+T[\d:.]+Z","deleted_at":null\}\n$/,
    );
    expect(await cli.ok(['ls', `${BASIN}/nothing-begins-with-this`])).toBe('');
  });

  test('control characters of a name never reach the terminal, and JSON has them', async () => {
    await cli.ok(['create', `${BASIN}/ctl\u001b[31m\nx`]);
    expect(await cli.ok(['ls', `${BASIN}/ctl`])).toBe('ctl\\u001b[31m\\nx\n');
    expect(JSON.parse(await cli.ok(['ls', `${BASIN}/ctl`, '--json']))).toMatchObject({ name: 'ctl\u001b[31m\nx' });
  });

  test('a listing has every page, in the order of bytes', async () => {
    await cli.ok(['create', 'cli-many-basin']);
    const names = Array.from({ length: 1_100 }, (_, at) => `s${String(at).padStart(4, '0')}`);
    for (let at = 0; at < names.length; at += 50) {
      await Promise.all(
        names.slice(at, at + 50).map(async (stream) => {
          const response = await fetch(`${server.url}/v1/streams`, {
            method: 'POST',
            headers: { 's2-basin': 'cli-many-basin', 'content-type': 'application/json' },
            body: JSON.stringify({ stream }),
          });
          expect(response.status).toBe(201);
        }),
      );
    }
    expect((await cli.ok(['ls', 'cli-many-basin'])).trimEnd().split('\n')).toEqual(names);
  });

  test('a basin with streams is deleted only with -r, and what is being deleted shows with --all alone', async () => {
    await cli.ok(['create', 'cli-doomed-basin']);
    await cli.ok(['create', 'cli-doomed-basin/s']);
    const refused = await cli.run(['rm', 'cli-doomed-basin']);
    expect([refused.code, refused.stderr]).toEqual([1, 'millrace: cli-doomed-basin holds streams; -r deletes it and them\n']);
    expect(await cli.ok(['ls'])).toContain('cli-doomed-basin\n');
    expect(await cli.ok(['rm', '-r', 'cli-doomed-basin'])).toBe('deleting cli-doomed-basin\n');
    expect(await cli.ok(['ls'])).not.toContain('cli-doomed-basin');
    // It may be gone by now; while it is there, it is marked.
    const all = await cli.ok(['ls', '--all']);
    if (all.includes('cli-doomed-basin')) expect(all).toContain('cli-doomed-basin (deleting)\n');
  });

  test('what is not there is refused, or fine with --if-exists', async () => {
    const refused = await cli.run(['rm', `${BASIN}/never-made`]);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/^millrace: stream_not_found: .*never-made.*\n$/)]);
    expect(await cli.ok(['rm', '--if-exists', `${BASIN}/never-made`])).toBe('cli-basin/never-made does not exist\n');
  });
});

describe('config', () => {
  test('options at creation become the configuration, and show as they were given', async () => {
    const options = ['--storage-class', 'standard', '--retention', '30d', '--timestamping', 'arrival', '--uncapped'];
    await cli.ok(['create', `${BASIN}/configured`, ...options, '--delete-on-empty', '12h']);
    expect(await cli.ok(['config', `${BASIN}/configured`])).toBe(
      `storage-class    standard
retention        30d
timestamping     arrival
uncapped         yes
delete-on-empty  12h
`,
    );
    expect(JSON.parse(await cli.ok(['config', `${BASIN}/configured`, '--json']))).toEqual({
      storage_class: 'standard',
      retention_policy: { age: 2_592_000 },
      timestamping: { mode: 'arrival', uncapped: true },
      delete_on_empty: { min_age_secs: 43_200 },
    });
  });

  test('a change leaves the rest, and --unset goes back to the default of the basin', async () => {
    await cli.ok(['create', 'cli-config-basin', '--retention', '2d', '--auto-create', '--no-create-on-read']);
    expect(JSON.parse(await cli.ok(['config', 'cli-config-basin', '--json']))).toMatchObject({
      default_stream_config: { retention_policy: { age: 172_800 } },
      create_stream_on_append: true,
      create_stream_on_read: false,
    });
    await cli.ok(['create', 'cli-config-basin/s', '--retention', 'infinite', '--uncapped']);
    const changed = JSON.parse(await cli.ok(['config', 'cli-config-basin/s', '--timestamping', 'client-require', '--json']));
    expect(changed).toMatchObject({ retention_policy: { infinite: {} }, timestamping: { mode: 'client-require', uncapped: true } });
    const unset = JSON.parse(await cli.ok(['config', 'cli-config-basin/s', '--unset', 'retention', 'uncapped', '--json']));
    expect(unset).toMatchObject({ retention_policy: { age: 172_800 }, timestamping: { mode: 'client-require', uncapped: false } });
    const basin = JSON.parse(await cli.ok(['config', 'cli-config-basin', '--create-on-read', '--unset', 'retention', '--json']));
    expect(basin).toMatchObject({ create_stream_on_append: true, create_stream_on_read: true });
    expect(basin.default_stream_config?.retention_policy ?? null).toBeNull();
  });

  test('what only a basin has is refused for a stream, before anything is asked', async () => {
    const refused = await cli.run(['create', `${BASIN}/x`, '--create-on-read']);
    expect([refused.code, refused.stderr]).toEqual([2, 'millrace: --create-on-read is for a basin, not for a stream\n']);
  });
});

describe('fence and trim', () => {
  test('a fence refuses other tokens, and a trim hides what lies below', async () => {
    const place = `${BASIN}/commanded`;
    await cli.ok(['create', place]);
    await cli.ok(['append', place], { input: 'a\nb\nc\n' });
    expect(await cli.ok(['fence', place, 'mine'])).toBe('the fence is record 3\n');
    const refused = await cli.run(['fence', place, 'other', '--fencing-token', 'wrong']);
    expect([refused.code, refused.stderr]).toEqual([1, 'millrace: fencing_token_mismatch: the stream has the fencing token "mine"\n']);
    const moved = await cli.run(['trim', place, '2', '--match-seq-num', '3']);
    expect([moved.code, moved.stderr]).toEqual([1, 'millrace: seq_num_mismatch: the next record gets sequence number 4\n']);
    expect(await cli.ok(['trim', place, '2', '--fencing-token', 'mine', '--match-seq-num', '4'])).toBe('trim to 2 is record 4\n');
    await expect.poll(async () => await cli.ok(['read', place]), { timeout: 10_000 }).toBe('c\n');
    expect(await cli.ok(['fence', place, ''])).toBe('the fence is lifted by record 5\n');
  });
});

describe('wrong usage', () => {
  test('ends with 2 and one line, and asks no server', async () => {
    const wrong: readonly (readonly [string[], RegExp])[] = [
      [[], /Usage: millrace/],
      [['bogus'], /^millrace: unknown command 'bogus'\n/],
      [['append'], /^millrace: missing required argument 'basin\/stream'\n/],
      [['ls', '--bogus'], /^millrace: unknown option '--bogus'\n/],
      [['read', 'short/s'], /^millrace: "short" cannot be a basin: .*\n$/],
      [['read', BASIN], /^millrace: "cli-basin" names a basin; a stream is basin\/stream\n$/],
      [['read', `${BASIN}/`], /^millrace: "cli-basin\/" has no stream after the slash\n$/],
      [['read', `${BASIN}/s`, '--seq-num', '-1'], /^millrace: option '--seq-num <n>' argument '-1' is invalid. It must be/],
      [['read', `${BASIN}/s`, '--seq-num', '1', '--tail-offset', '1'], /^millrace: option '--seq-num <n>' cannot be used with option/],
      [
        ['create', BASIN, '--retention', '7 days'],
        /^millrace: option '--retention <duration>' argument '7 days' is invalid. It must be a duration/,
      ],
      [['create', BASIN, '--storage-class', 'fast'], /Allowed choices are express, standard/],
      [['token', 'issue', 'x'], /^millrace: a token needs operations: give --ops or --op-groups\n$/],
      [['metrics', 'account-ops', BASIN], /^millrace: a basin has no metric set "account-ops"; it has storage, /],
      [['bench', BASIN, '--record-bytes', '7'], /^millrace: --record-bytes must be at least 8\n$/],
      [['ls', '--url', 'ftp://x'], /^millrace: --url is "ftp:\/\/x"; it must be an address/],
      [['ls', '--url', 'http://user:secret@x'], /^millrace: --url may hold no user and no password; a token goes by --token\n$/],
    ];
    const env = { MILLRACE_URL: 'http://127.0.0.1:9' };
    const results = await Promise.all(wrong.map(async ([args]) => await runCli(args, { env })));
    results.forEach(({ code, stdout, stderr }, at) => {
      const [args, expected] = wrong[at] ?? [[], /never/];
      expect([args, code, stdout]).toEqual([args, 2, '']);
      expect(stderr).toMatch(expected);
    });
  });
});
