// Answers CloudFormation, which waits for it: a handler that does not answer holds a stack for an hour.

/** Makes of `run` a handler of a custom resource. What it throws fails the change, with its message. */
export function answering(run) {
  return async (event, context) => {
    const failure = await run(event, context).then(
      () => undefined,
      (error) => String(error?.message ?? error),
    );
    console.log(JSON.stringify({ event: 'stack.handler.ended', type: event.RequestType, failure }));
    const { StackId, RequestId, LogicalResourceId, PhysicalResourceId = LogicalResourceId } = event;
    const answer = await fetch(event.ResponseURL, {
      method: 'PUT',
      headers: { 'content-type': '' },
      body: JSON.stringify({
        Status: failure === undefined ? 'SUCCESS' : 'FAILED',
        Reason: failure ?? 'done',
        StackId,
        RequestId,
        LogicalResourceId,
        PhysicalResourceId,
      }),
    });
    if (!answer.ok) throw new Error(`CloudFormation took no answer: ${answer.status}`);
  };
}
