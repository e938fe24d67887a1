import '../design/design.css';
import './console.css';
import { render } from 'preact';
import { Console } from './console.js';

const page = document.getElementById('page');
if (page !== null) render(<Console />, page);
