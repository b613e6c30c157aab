// `min`: the smallest of a column's values, null when there was none.
import { extreme } from './extreme.js';

export const min = extreme(-1);
