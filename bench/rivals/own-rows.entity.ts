import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: 'issuers', schema: 'own' })
export class OwnIssuerEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('text')
  secret!: string;
}

@Entity({ name: 'images', schema: 'own' })
export class OwnImageEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('uuid', { name: 'issuer_id' })
  issuerId!: string;

  @Column('text', { name: 'public_id' })
  publicId!: string;

  @Column('int')
  version!: number;
}

@Entity({ name: 'overlays', schema: 'own' })
export class OwnOverlayEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('uuid', { name: 'issuer_id' })
  issuerId!: string;

  @Column('text', { name: 'public_id' })
  publicId!: string;
}
