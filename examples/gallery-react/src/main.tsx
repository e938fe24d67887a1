import { createRoot } from 'react-dom/client';
import { Gallery } from './gallery.js';

const root = document.getElementById('gallery');
if (root === null) throw new Error('The page has no element #gallery.');
createRoot(root).render(<Gallery />);
