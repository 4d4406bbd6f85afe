/** Tables and bucket: encrypted, kept when the stack is deleted, and not to be deleted by mistake. */
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, BillingMode, Table, TableEncryption } from 'aws-cdk-lib/aws-dynamodb';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import type { Names } from './names.ts';

/** When an item may go, as whoever writes it says; most records of tenants say nothing. */
const timeToLiveAttribute = 'expires_at';

export class Storage extends Construct {
  readonly tenants: Table;
  readonly audit: Table;
  readonly kv: Table;
  readonly artifacts: Bucket;

  constructor(scope: Construct, names: Names) {
    super(scope, 'Storage');
    this.tenants = this.addTable('Tenants', names.tenantsTable, 'pk');
    this.audit = this.addTable('Audit', names.auditTable, 'pk');
    this.kv = this.addTable('Kv', names.kvTable, 'tenant');
    this.artifacts = new Bucket(this, 'Artifacts', {
      bucketName: names.artifactsBucket,
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      // Uploads by a presigned URL may stop half-way, and their parts would be paid for ever.
      lifecycleRules: [{ abortIncompleteMultipartUploadAfter: Duration.days(1) }],
      removalPolicy: RemovalPolicy.RETAIN,
    });
  }

  private addTable(id: string, tableName: string, partition: string): Table {
    return new Table(this, id, {
      tableName,
      partitionKey: { name: partition, type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      encryption: TableEncryption.AWS_MANAGED,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
      timeToLiveAttribute,
    });
  }
}
