import js from '@eslint/js';
import globals from 'globals';

export default [
  { ignores: ['node_modules', 'artifacts'] },
  js.configs.recommended,
  {
    languageOptions: {
      // Functions that are handed to a browser stand among those that run here.
      globals: { ...globals.node, ...globals.browser },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      'max-lines': ['error', 400],
      'no-var': 'error',
      'prefer-const': 'error',
    },
  },
];
