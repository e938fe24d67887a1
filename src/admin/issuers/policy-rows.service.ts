import { Injectable } from '@nestjs/common';
import { type EntityManager, In } from 'typeorm';
import { InvalidRequestError } from '../../domain/request.errors.js';
import { canonicalUuid } from '../../domain/uuid.js';
import { accountIdOf } from '../../domain/account.js';
import { ImageEntity } from '../../platform/database/entities/image.entity.js';
import type { IssuerEntity } from '../../platform/database/entities/issuer.entity.js';
import { OverlayEntity } from '../../platform/database/entities/overlay.entity.js';
import { InvalidTransformationError } from '../../transformations/transformation.errors.js';
import type { MappedChain } from '../../transformations/transformation.mapper.js';
import { describeFault, mapPolicySteps } from '../../policy/policy-members.js';
import type { PolicyDocument } from '../../policy/policy.js';

/** Checks, when a policy is written, that its ids are the issuer's rows or shared. A row that is deleted later causes 404s. */
@Injectable()
export class PolicyRowsService {
  /** @throws InvalidRequestError (422) naming every id that is neither a row of the issuer nor an overlay that its account shares. */
  async require(
    manager: EntityManager,
    { id: issuerId, accountId }: Pick<IssuerEntity, 'id' | 'accountId'>,
    document: PolicyDocument,
  ): Promise<void> {
    const {
      mandatory_steps: mandatory = [],
      presets = {},
      allowed_overlays: allowed,
      placeholder,
    } = document;
    const lists: readonly (readonly [key: string, chain: MappedChain])[] = [
      ['policy.mandatory_steps', mapPolicySteps(mandatory)],
      ...Object.entries(presets).map(
        ([name, steps]) => [`policy.presets.${name}`, mapPolicySteps(steps)] as const,
      ),
    ];
    const ids = [...new Set(lists.flatMap(([, chain]) => chain.overlayIds))];
    const rows =
      ids.length === 0
        ? []
        : await manager.findBy(OverlayEntity, [
            { id: In(ids), issuerId },
            { id: In(ids), shared: true, accountId: accountIdOf({ id: accountId }) },
          ]);
    const overlays = new Map(rows.map((row) => [row.id, row]));
    const errors = lists.flatMap(([key, chain]) => {
      const detail = findRowFault(chain, overlays);
      return detail === null ? [] : [{ key, detail }];
    });
    const missing = await findMissingOverlay(manager, issuerId, allowed ?? []);
    if (missing !== null) {
      const detail = `must contain ids of overlays of this issuer: ${missing} is not one`;
      errors.push({ key: 'policy.allowed_overlays', detail });
    }
    if (placeholder !== undefined && !(await manager.existsBy(ImageEntity, { issuerId, id: placeholder }))) {
      errors.push({ key: 'policy.placeholder', detail: 'must be the id of an image of this issuer' });
    }
    if (errors.length > 0) throw new InvalidRequestError(errors);
  }
}

/** A shared overlay is for presets and mandatory steps: a token's own steps cannot use it. */
async function findMissingOverlay(
  manager: EntityManager,
  issuerId: string,
  ids: readonly string[],
): Promise<string | null> {
  if (ids.length === 0) return null;
  const rows = await manager.find(OverlayEntity, {
    where: { id: In([...ids]), issuerId },
    select: { id: true },
  });
  const known = new Set(rows.map(({ id }) => id));
  return ids.find((id) => !known.has(canonicalUuid(id) ?? id)) ?? null;
}

function findRowFault(chain: MappedChain, overlays: ReadonlyMap<string, OverlayEntity>): string | null {
  const missing = chain.overlayIds.find((id) => !overlays.has(id));
  if (missing !== undefined)
    return `must refer to overlays of this issuer, or shared ones: ${missing} is not one`;
  try {
    chain.components(overlays);
    return null;
  } catch (error) {
    if (error instanceof InvalidTransformationError) return describeFault(error);
    throw error;
  }
}
