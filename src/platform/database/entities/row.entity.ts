import { CreateDateColumn, PrimaryColumn } from 'typeorm';

/** A row with a UUID and the time of its creation. */
export abstract class RowEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;
}
