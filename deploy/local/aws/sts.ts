/** STS: AssumeRole with session tags, and GetCallerIdentity. Speaks the query protocol: form in, XML out. */
import { z } from 'zod';
import type { Caller } from './access.ts';
import { accountId } from './account.ts';
import { AwsError, invalid } from './aws-error.ts';
import { compilePolicy, type Policy } from './policy.ts';
import type { Sessions } from './sessions.ts';
import { xmlDocument, type Elements } from './xml.ts';

export const stsNamespace = 'https://sts.amazonaws.com/doc/2011-06-15/';

const AssumeRole = z.object({
  RoleArn: z.string().regex(/^arn:aws:iam::\d{12}:role\/[\w+=,.@/-]+$/),
  RoleSessionName: z.string().regex(/^[\w+=,.@-]{2,64}$/),
  DurationSeconds: z.coerce.number().int().min(900).max(43_200).default(3_600),
  Policy: z.string().optional(),
});
const Tag = z.object({ Key: z.string().min(1).max(128), Value: z.string().max(256) });

export interface Sts {
  handle(form: URLSearchParams, caller: Caller): string;
}

/** `trust` decides who may assume the role, by the tags they ask for. */
export function createSts(sessions: Sessions, trust: Policy): Sts {
  return {
    handle(form, caller) {
      const action = form.get('Action') ?? '';
      switch (action) {
        case 'GetCallerIdentity':
          return answer(action, [
            ['Arn', caller.arn],
            ['UserId', caller.userId],
            ['Account', accountId],
          ]);
        case 'AssumeRole':
          return answer(action, assumeRole(form, caller));
        default:
          throw new AwsError(
            'UnknownOperationException',
            `STS operation ${action || '(none)'} is not supported by the local AWS`,
          );
      }
    },
  };

  function assumeRole(form: URLSearchParams, caller: Caller): Elements {
    const parsed = AssumeRole.safeParse(Object.fromEntries(form));
    if (!parsed.success) throw invalid(z.prettifyError(parsed.error));
    const { RoleArn, RoleSessionName, DurationSeconds, Policy } = parsed.data;
    const tags = readTags(form);
    const context = {
      'aws:TagKeys': Object.keys(tags),
      ...Object.fromEntries(
        Object.entries(tags).map(([key, value]) => [`aws:RequestTag/${key}`, [value]]),
      ),
    };
    const isTrusted = (action: string) => trust({ action, resource: RoleArn, context });
    // A session may not go on to another role: that would shed its tag.
    if (caller.mayDo || !isTrusted('sts:AssumeRole') || !isTrusted('sts:TagSession')) {
      throw new AwsError(
        'AccessDenied',
        `User: ${caller.arn} is not authorized to perform: sts:AssumeRole on resource: ${RoleArn}`,
        403,
      );
    }
    const session = sessions.open(
      {
        roleName: RoleArn.slice(RoleArn.lastIndexOf('/') + 1),
        sessionName: RoleSessionName,
        tags,
        policy: Policy === undefined ? undefined : readSessionPolicy(Policy),
      },
      DurationSeconds,
    );
    const { arn, userId } = sessions.callerOf(session.accessKeyId, session);
    return [
      [
        'Credentials',
        [
          ['AccessKeyId', session.accessKeyId],
          ['SecretAccessKey', session.secretAccessKey],
          ['SessionToken', session.sessionToken],
          ['Expiration', new Date(session.expiresAt).toISOString()],
        ],
      ],
      [
        'AssumedRoleUser',
        [
          ['Arn', arn],
          ['AssumedRoleId', userId],
        ],
      ],
    ];
  }
}

function readTags(form: URLSearchParams): Record<string, string> {
  const tags: Record<string, string> = {};
  for (let index = 1; form.has(`Tags.member.${index}.Key`); index += 1) {
    const parsed = Tag.safeParse({
      Key: form.get(`Tags.member.${index}.Key`),
      Value: form.get(`Tags.member.${index}.Value`),
    });
    if (!parsed.success) throw invalid(z.prettifyError(parsed.error));
    tags[parsed.data.Key] = parsed.data.Value;
  }
  return tags;
}

/** Compiled once here, so that a document the local AWS does not understand opens no session. */
function readSessionPolicy(text: string): unknown {
  try {
    const document: unknown = JSON.parse(text);
    compilePolicy(document);
    return document;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AwsError('MalformedPolicyDocument', reason);
  }
}

function answer(action: string, result: Elements): string {
  return xmlDocument(`${action}Response`, stsNamespace, [
    [`${action}Result`, result],
    ['ResponseMetadata', [['RequestId', crypto.randomUUID()]]],
  ]);
}
