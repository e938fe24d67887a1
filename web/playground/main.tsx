import '../design/design.css';
import './playground.css';
import { render } from 'preact';
import { takeFragment } from './connection.js';
import { Playground } from './playground.js';

const page = document.getElementById('page');
if (page !== null) render(<Playground link={takeFragment()} />, page);
