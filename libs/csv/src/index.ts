// CSV files, read as a pipeline declares them: bytes -> records -> typed rows, or the reason why not. Pure: no files,
// no network, no clock.
export { CsvError, type CsvErrorCode } from './csv-error.js';
export { headerProblems, type HeaderProblem } from './header.js';
export { CsvReader, CsvRecord, isFault, type CsvFault, type FileHead } from './parse-records.js';
export { looseTyper, rowTyper, type TypedRow } from './type-row.js';
