import { Fault } from '../../../shared/faults.ts';
import { artifactsPut, maxInlineArtifactBytes } from '../../../shared/tools/artifacts-put.ts';
import { implement } from '../implement.ts';

/** Handler of `artifacts_put`. */
export const putArtifact = implement(
  artifactsPut,
  async ({ key, content, content_type: contentType }, { aws }) => {
    const body = Buffer.from(content, 'base64');
    if (body.byteLength > maxInlineArtifactBytes) {
      throw new Fault(
        'payload_too_large',
        `The content holds ${body.byteLength} bytes; at most ${maxInlineArtifactBytes} can be stored in a call.`,
      );
    }
    await aws.writeArtifact(key, body, contentType);
    return { success: true as const };
  },
);
