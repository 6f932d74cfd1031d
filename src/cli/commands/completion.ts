/** completion: scripts for bash, zsh and fish. All of them ask the hidden command __complete, so they never go stale. */
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';

/** Options whose value is the next word, which is no word of the command's own. */
const SKIPPED = [
  '-t',
  '-s',
  '-p',
  '-P',
  '-n',
  '-o',
  '--type',
  '--state',
  '--signal',
  '--property',
  '--lines',
  '--output',
  '--socket',
  '--job-mode',
  '--kill-whom',
];
/** Options that take a value, as __complete knows them. */
const VALUED = 'type|state|property|job-mode|kill-whom|preset-mode|output|signal';
/** Those of them that take several, with commas between them. */
const LISTS = 'type|state|property';

const bash = `# bash completion for sctl. Load it with: source <(sctl completion bash)
_sctl() {
  local cur prev words cword word command= i option= part= before=
  local -a given=()
  if declare -F _get_comp_words_by_ref >/dev/null; then
    # A colon or an equals sign does not end a word of ours.
    _get_comp_words_by_ref -n := cur prev words cword
  else
    cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} words=("\${COMP_WORDS[@]}") cword=$COMP_CWORD
    # Here an equals sign is a word: --type = so
    if [[ $prev == = ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
    if [[ $cur == = ]]; then cur=; fi
  fi
  COMPREPLY=()
  for ((i = 1; i < cword; i++)); do
    word=\${words[i]}
    case $word in
      ${SKIPPED.join('|')})
        [[ \${words[i+1]} == = ]] && ((i++))
        ((i++)) ;;
      -*|=) ;;
      *) if [[ -z $command ]]; then command=$word; else given+=("$word"); fi ;;
    esac
  done
  local IFS=$'\\n' program=\${words[0]}
  case $prev in
    -t) prev=--type ;;
    -p|-P) prev=--property ;;
    -s) prev=--signal ;;
    -o) prev=--output ;;
  esac
  if [[ $cur =~ ^--(${VALUED})=(.*)$ ]]; then
    option=\${BASH_REMATCH[1]} part=\${BASH_REMATCH[2]}
    # Without our help bash begins a new word at the equals sign.
    [[ $COMP_WORDBREAKS == *=* ]] || before=--$option=
  elif [[ $prev =~ ^--(${VALUED})$ ]]; then
    option=\${BASH_REMATCH[1]} part=$cur
  fi
  if [[ -n $option ]]; then
    if [[ $option =~ ^(${LISTS})$ && $part == *,* ]]; then before+=\${part%,*}, part=\${part##*,}; fi
    COMPREPLY=($(compgen -P "$before" -W "$("$program" __complete values "$option" "\${given[@]}" 2>/dev/null)" -- "$part"))
  elif [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$("$program" __complete options "$command" 2>/dev/null | cut -f1)" -- "$cur"))
    [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *= ]] && compopt -o nospace
  elif [[ -z $command ]]; then
    COMPREPLY=($(compgen -W "$("$program" __complete commands 2>/dev/null | cut -f1)" -- "$cur"))
  else
    local names; names=$("$program" __complete words "$command" "\${given[@]}" 2>/dev/null)
    # By hand, since compgen -W would take the backslashes out of unit names.
    local name; for name in $names; do [[ $name == "$cur"* ]] && COMPREPLY+=("$(printf %q "$name")"); done
    [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *= ]] && compopt -o nospace
    # A plan is a file, too.
    [[ $command == apply || $command == link ]] && COMPREPLY+=($(compgen -f -- "$cur"))
  fi
  return 0
}
complete -F _sctl sctl
`;

const zsh = `#compdef sctl
# zsh completion for sctl. Load it with: source <(sctl completion zsh)
_sctl() {
  local -a found given
  local command word i option
  for ((i = 2; i < CURRENT; i++)); do
    word=$words[i]
    case $word in
      ${SKIPPED.join('|')}) ((i++)) ;;
      -*) ;;
      *) if [[ -z $command ]]; then command=$word; else given+=("$word"); fi ;;
    esac
  done
  case $words[CURRENT-1] in
    -t) option=type ;;
    -s) option=signal ;;
    -o) option=output ;;
    -p|-P) option=property ;;
    --(${VALUED})) option=\${words[CURRENT-1]#--} ;;
  esac
  if [[ $PREFIX == --(${VALUED})=* ]]; then
    option=\${\${PREFIX%%=*}#--}
    compset -P '*='
  fi
  if [[ -n $option ]]; then
    [[ $option == (${LISTS}) ]] && compset -P '*,'
    found=(\${(f)"$($words[1] __complete values $option "\${given[@]}" 2>/dev/null)"})
    compadd -a found
  elif [[ $PREFIX == -* ]]; then
    found=(\${(f)"$($words[1] __complete options "$command" 2>/dev/null)"})
    found=("\${(@)found//$'\\t'/:}")
    _describe -o option found
  elif [[ -z $command ]]; then
    found=(\${(f)"$($words[1] __complete commands 2>/dev/null)"})
    found=("\${(@)found//$'\\t'/:}")
    _describe command found
  else
    found=(\${(f)"$($words[1] __complete words "$command" "\${given[@]}" 2>/dev/null)"})
    compadd -a found
    [[ $command == apply || $command == link ]] && _files
  fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _sctl "$@"; else compdef _sctl sctl; fi
`;

const fish = `# fish completion for sctl. Load it with: sctl completion fish | source
function __sctl_command
  set -l skip 0
  for word in (commandline -opc)[2..]
    if test $skip = 1
      set skip 0
      continue
    end
    switch $word
      case ${SKIPPED.join(' ')}
        set skip 1
      case '-*'
      case '*'
        echo $word
        return 0
    end
  end
  return 1
end
# The words after the command.
function __sctl_given
  set -l skip 0
  set -l first 1
  for word in (commandline -opc)[2..]
    if test $skip = 1
      set skip 0
      continue
    end
    switch $word
      case ${SKIPPED.join(' ')}
        set skip 1
      case '-*'
      case '*'
        if test $first = 1
          set first 0
        else
          echo $word
        end
    end
  end
end
complete -c sctl -f
complete -c sctl -n 'not __sctl_command >/dev/null' -a '(sctl __complete commands 2>/dev/null)'
complete -c sctl -n '__sctl_command >/dev/null' -a '(sctl __complete words (__sctl_command) (__sctl_given) 2>/dev/null)'
complete -c sctl -n 'string match -q -- "-*" (commandline -ct)' -a '(sctl __complete options (__sctl_command) 2>/dev/null)'
complete -c sctl -s t -l type -x -a '(sctl __complete values type)'
complete -c sctl -l state -x -a '(sctl __complete values state)'
complete -c sctl -s p -l property -x -a '(__fish_append , (sctl __complete values property (__sctl_given)))'
complete -c sctl -s P -x -a '(__fish_append , (sctl __complete values property (__sctl_given)))'
complete -c sctl -n '__sctl_command | string match -qr "^(apply|link)$"' -F
complete -c sctl -s s -l signal -x -a '(sctl __complete values signal)'
complete -c sctl -l job-mode -x -a '(sctl __complete values job-mode)'
complete -c sctl -l kill-whom -x -a '(sctl __complete values kill-whom)'
complete -c sctl -s o -l output -x -a '(sctl __complete values output)'
`;

const SCRIPTS: Readonly<Record<string, string>> = { bash, zsh, fish };

export async function run({ args, context }: Call): Promise<number> {
  const script = Object.hasOwn(SCRIPTS, args[0] ?? '') ? SCRIPTS[args[0]!] : undefined;
  if (script === undefined)
    throw new CliError(`No completion for "${args[0]}": use one of ${Object.keys(SCRIPTS).join(', ')}.`);
  context.out(script);
  return 0;
}
