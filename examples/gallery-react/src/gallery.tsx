import { PixsealImage } from '@pixseal/react';
import { useEffect, useState, type ReactElement } from 'react';
import './gallery.css';
import type { GalleryImage } from './gallery-image.js';

/** Three columns on wide screens, one on phones: as gallery.css has it. */
const SIZES = '(min-width: 48rem) 33vw, 100vw';

async function loadImages(): Promise<readonly GalleryImage[]> {
  const response = await fetch('/api/images');
  if (!response.ok) throw new Error(`The server responded with status ${response.status}.`);
  return (await response.json()) as readonly GalleryImage[];
}

/** Loads the images' signed URLs from the server, and shows them. */
export function Gallery(): ReactElement {
  const [images, setImages] = useState<readonly GalleryImage[] | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  useEffect(() => {
    loadImages().then(setImages, (error: unknown) => {
      setFailure(error instanceof Error ? error.message : String(error));
    });
  }, []);
  if (failure !== null) return <p role="alert">{failure}</p>;
  if (images === null) return <p>Loading…</p>;
  return (
    <>
      <h1>Gallery</h1>
      <ul className="gallery">
        {images.map(({ id, alt, source }) => (
          <li key={id}>
            <PixsealImage source={source} sizes={SIZES} alt={alt} />
          </li>
        ))}
      </ul>
    </>
  );
}
