/** The key that signs the sessions of 2025-era clients, and its rotation: sessions outlive one. */
import { join } from 'node:path';
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Code, Function as Lambda, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import type { Names } from './names.ts';

const rotationEvery = Duration.days(30);

export class SessionSigning extends Construct {
  readonly secret: Secret;

  constructor(scope: Construct, names: Names) {
    super(scope, 'SessionSigning');
    this.secret = new Secret(this, 'Secret', {
      secretName: names.signingSecret,
      description: 'Signs the session ids of 2025-era MCP clients',
      // The first key: 43 letters and digits, which read as base64url are 32 bytes.
      generateSecretString: { passwordLength: 43, excludePunctuation: true },
      removalPolicy: RemovalPolicy.RETAIN,
    });
    const rotationLambda = new Lambda(this, 'Rotation', {
      runtime: Runtime.NODEJS_24_X,
      handler: 'rotate-signing-key.handler',
      code: Code.fromAsset(join(import.meta.dirname, 'rotation')),
      timeout: Duration.seconds(30),
      description: 'Makes a new key for sessions; the one before stays good for checking',
      logGroup: new LogGroup(this, 'RotationLog', {
        retention: RetentionDays.THREE_MONTHS,
        removalPolicy: RemovalPolicy.DESTROY,
      }),
    });
    this.secret.addRotationSchedule('Schedule', {
      rotationLambda,
      automaticallyAfter: rotationEvery,
    });
  }
}
