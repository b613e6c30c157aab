// `max`: the largest of a column's values, null when there was none.
import { extreme } from './extreme.js';

export const max = extreme(1);
