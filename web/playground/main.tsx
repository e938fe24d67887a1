import '../design/design.css';
import { render } from 'preact';

const page = document.getElementById('page');
if (page !== null) render(<h1>Playground</h1>, page);
