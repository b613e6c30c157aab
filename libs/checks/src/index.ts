// Profiles and checks of files: pure. The gate feeds rows in, verdicts and what is kept for later files come out.
export { referenceSlice, type ReferenceSlice } from './evidence.js';
export {
  checkedViews,
  encodeEvidence,
  FileInspection,
  ViewInspection,
  type EvidenceJson,
  type TableInspection,
} from './inspection.js';
export type { PreparedCheck, Reference } from './prepare-check.js';
export { shownProfile } from './shown-profile.js';
