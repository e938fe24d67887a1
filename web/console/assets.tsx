import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { AddAsset } from './add-asset.js';
import { type AssetKind, Thumbnail } from './asset-parts.js';
import { BulkActions } from './bulk-actions.js';
import { AssetDialog } from './asset-dialog.js';
import { IssuerChoice, Input, Pager, ProblemNote } from './parts.js';
import { adminPath, type Asset } from './service.js';
import { useRights } from './session-context.js';
import { hrefTo } from './use-route.js';
import { usePaged } from './use-service.js';

/** Rows per page: the maximum in the document. */
const PAGE = '48';

interface AssetsViewProps {
  readonly kind: AssetKind;
  readonly query: Readonly<Record<string, string>>;
}

/** Images or overlays, with thumbnails that are loaded when they become visible. */
export function AssetsView({ kind, query }: AssetsViewProps): JSX.Element {
  const { issuer_id: issuerId = '', search = '' } = query;
  const [typed, setTyped] = useState({ issuerId, search });
  const [open, setOpen] = useState<Asset | null>(null);
  const { write } = useRights();
  const [selectedIds, setSelectedIds] = useState<ReadonlySet<string>>(new Set());
  const list = usePaged<Asset>(adminPath(kind, { limit: PAGE, issuer_id: issuerId, search }));
  const items = list.value?.items ?? [];
  // Rows of another page, or deleted ones, are never part of an action.
  const selected = items.filter(({ id }) => selectedIds.has(id));
  const select = (assets: readonly Asset[]): void => {
    setSelectedIds(new Set(assets.map(({ id }) => id)));
  };
  return (
    <div class="stack">
      <h1>{kind === 'images' ? 'Images' : 'Overlays'}</h1>
      {write && <AddAsset kind={kind} issuerId={issuerId} onDone={list.reload} />}
      <form
        class="row filter"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          window.location.hash = hrefTo(kind, { issuer_id: typed.issuerId, search: typed.search.trim() });
        }}
      >
        <IssuerChoice
          none="All issuers"
          value={typed.issuerId}
          onValue={(issuer) => {
            setTyped({ ...typed, issuerId: issuer });
          }}
        />
        <Input
          label="Part of the public id"
          code
          value={typed.search}
          onValue={(part) => {
            setTyped({ ...typed, search: part });
          }}
        />
        <button class="button">Find</button>
      </form>
      <ProblemNote problem={list.problem} />
      {write && (
        <BulkActions kind={kind} page={items} selected={selected} onSelect={select} onDone={list.reload} />
      )}
      <ul class="assets" aria-label={kind === 'images' ? 'Images' : 'Overlays'} aria-busy={list.busy}>
        {items.map((asset) => (
          <li key={asset.id}>
            {write && (
              <input
                type="checkbox"
                class="select"
                aria-label={`Select ${asset.public_id}`}
                checked={selectedIds.has(asset.id)}
                onInput={(event) => {
                  const isIn = event.currentTarget.checked;
                  select(isIn ? [...selected, asset] : selected.filter(({ id }) => id !== asset.id));
                }}
              />
            )}
            <button
              type="button"
              class="card asset"
              onClick={() => {
                setOpen(asset);
              }}
            >
              <Thumbnail key={asset.updated_at} kind={kind} asset={asset} />
              <span class="code asset-name">{asset.public_id}</span>
              {asset.access === 'public' && <span class="badge">public</span>}
              {asset.shared === true && <span class="badge">shared</span>}
            </button>
          </li>
        ))}
      </ul>
      {list.value?.items.length === 0 && <p class="note">No entries.</p>}
      <Pager list={list} name={kind} />
      {open !== null && (
        <AssetDialog
          kind={kind}
          asset={open}
          onChange={(changed) => {
            setOpen(changed);
            list.reload();
          }}
          onClose={() => {
            setOpen(null);
          }}
        />
      )}
    </div>
  );
}
