import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { VocabularyDocument } from '../../src/pages/playground/vocabulary.document.js';
import type { Row } from './service.js';

/** What the controls offer: the service's vocabulary, and known overlays. */
export interface Offer {
  readonly vocabulary: VocabularyDocument;
  readonly overlays: readonly Row[];
}

const NOTHING: VocabularyDocument = {
  max_steps: 0,
  max_layers: 0,
  longest_text: 0,
  parameters: [],
  flags: [],
  effects: [],
  text_layer: [],
};

export const OfferContext = createContext<Offer>({ vocabulary: NOTHING, overlays: [] });

export const useOffer = (): Offer => useContext(OfferContext);
