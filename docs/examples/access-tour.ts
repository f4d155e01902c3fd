// Access tokens in five steps, against a server that was started with MILLRACE_AUTH=required.
//
//   MILLRACE_ROOT_TOKEN=<the root token> node docs/examples/access-tour.ts [http://localhost:8080]

import { AppendInput, AppendRecord, S2, S2Error } from '@s2-dev/streamstore';

const url = process.argv[2] ?? 'http://localhost:8080';
const rootToken = process.env['MILLRACE_ROOT_TOKEN'];
if (rootToken === undefined) throw new Error('MILLRACE_ROOT_TOKEN must hold the root token of the server');

const client = (accessToken: string) => new S2({ accessToken, endpoints: { account: url, basin: url } });
const hello = () => AppendInput.create([AppendRecord.string({ body: 'hello' })]);

/** The status that a call is refused with. */
async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'not refused';
  } catch (error) {
    if (!(error instanceof S2Error)) throw error;
    return `${error.status} ${error.code}`;
  }
}

const root = client(rootToken);
await root.basins.ensure({ basin: 'access-tour', config: { createStreamOnAppend: true } });
const { accessToken } = await root.accessTokens.issue({
  id: 'access-tour-alice',
  scope: { basins: { exact: 'access-tour' }, streams: { prefix: 'alice/' }, ops: ['append', 'read'] },
});
console.log('1. a token for streams of one prefix was issued');

const alice = client(accessToken).basin('access-tour');
const { end } = await alice.stream('alice/diary').append(hello());
console.log(`2. it appends to alice/diary, which now ends at ${end.seqNum}`);

console.log(`3. outside of its prefix: ${await refusal(alice.stream('bob/diary').append(hello()))}`);

await root.accessTokens.revoke({ id: 'access-tour-alice' });
console.log('4. the token was revoked');
console.log(`5. it appends no more: ${await refusal(alice.stream('alice/diary').append(hello()))}`);
